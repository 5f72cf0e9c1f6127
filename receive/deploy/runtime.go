package deploy

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"boathook/receive/apps"
	"boathook/receive/state"
	"boathook/router"
	"boathook/runner"
)

// The methods of this file implement apps.Runtime: what a running app can be asked and told.

// Instances lists the app's containers of the live release, and one-offs of any. One that was given up is that alone, also while its last run is being removed.
func (d *Deployer) Instances(ctx context.Context, name string) ([]apps.Container, error) {
	app, release, err := d.liveRelease(ctx, name)
	if err != nil || app.Live == 0 {
		return nil, err
	}
	formation, err := d.Store.Formation(ctx, name)
	if err != nil {
		return nil, err
	}
	instances, err := d.Engine.List(ctx, runner.Selector{App: name, Release: strconv.FormatInt(app.Live, 10)})
	if err != nil {
		return nil, err
	}
	given := d.reconciler.crashes.given(name, strconv.FormatInt(app.Live, 10))
	var containers []apps.Container
	for _, i := range instances {
		if i.Type == oneOff || slices.Contains(given, slotOf(i)) {
			continue
		}
		containers = append(containers, apps.Container{
			Name: i.Name(), State: stateOf(i), Command: release.Types[i.Type], Size: sizeIn(formation, i.Type), Since: i.Started,
		})
	}
	for _, s := range given {
		since := d.reconciler.crashes.gaveUp(s)
		containers = append(containers, apps.Container{
			Name: s.name(), State: "crashed", Command: release.Types[s.Type], Size: sizeIn(formation, s.Type), Since: since,
		})
	}
	ones, err := d.oneOffsOf(ctx, name)
	for _, i := range ones {
		containers = append(containers, apps.Container{Name: i.Name(), State: stateOf(i), Command: i.Command, Since: i.Started})
	}
	return containers, err
}

// stateOf is the platform's word for what a container does.
func stateOf(i runner.Instance) string {
	switch i.Phase {
	case runner.Running:
		return "running"
	case runner.Pending:
		return "booting"
	case runner.Restarting:
		return "restarting"
	}
	return "crashed"
}

func sizeIn(formation []state.ProcessType, processType string) string {
	for _, p := range formation {
		if p.Name == processType {
			return p.Size
		}
	}
	return defaultSize
}

// liveRelease returns the app and, if it has one, its live release.
func (d *Deployer) liveRelease(ctx context.Context, name string) (state.App, state.Release, error) {
	app, err := d.Store.App(ctx, name)
	if err != nil || app.Live == 0 {
		return app, state.Release{}, err
	}
	release, err := d.Store.Release(ctx, app.Live)
	return app, release, err
}

// URL implements apps.Runtime.
func (d *Deployer) URL(app string) string { return d.routes.url(app) }

// Reroute has the router follow the app's domains and rules as they are stored.
func (d *Deployer) Reroute(ctx context.Context, app string) error {
	drain, err := d.routes.reload(app, func() (r ruling, err error) {
		if r.Routing, err = d.Store.Routing(ctx, app); err == nil {
			r.certificates, err = d.certificates(ctx, app)
		}
		return r, err
	})
	if err == nil {
		d.swapped(ctx, drain)
	}
	return err
}

// certificates are an app's own ones. One whose key does not open is left out: it must not keep the app from being served.
func (d *Deployer) certificates(ctx context.Context, app string) (own []router.Certificate, err error) {
	chains, err := d.Store.Certificates(ctx, app)
	if err != nil || len(chains) == 0 {
		return nil, err
	}
	keys, err := d.Store.CertificateKeys(ctx, app)
	if err != nil {
		d.Log.Error("certificate not served", "app", app, "err", err)
	}
	for _, c := range chains {
		if key, ok := keys[c.Host]; ok {
			own = append(own, router.Certificate{Host: c.Host, Chain: c.Chain, Key: key})
		}
	}
	return own, nil
}

// Destroy removes everything of an app but its record: route, containers, images, build cache. It takes its turn with deployments.
func (d *Deployer) Destroy(ctx context.Context, name string, waiting func(line string)) error {
	app, err := d.Store.App(ctx, name)
	if err != nil {
		return err
	}
	leave, err := d.queue.enter(ctx, name, app.Owner, "the destruction of "+name, waiting)
	if err != nil {
		return err
	}
	defer leave()
	give, err := d.claims.take(ctx, name, "destruction")
	if err != nil {
		return err
	}
	defer give()
	d.reconciler.crashes.forget(name, "")
	d.routes.remove(name).Close()
	lift := d.oneOffs.bar(name, name+" is being destroyed")
	defer lift()
	if err := d.removeAll(ctx, name); err != nil {
		return err
	}
	releases, err := d.Store.Releases(ctx, name)
	if err != nil {
		return err
	}
	for _, release := range releases {
		d.discard(ctx, release)
	}
	if err := d.Builder.DeleteCache(ctx, name); err != nil {
		return err
	}
	d.RouterLog.set(name, nil)
	return d.Logbook.Remove(app.ID)
}

// removeAll removes all containers of an app of which no one-off can begin any more. One that has begun may not have its container yet, and is waited
// for; but not for long one whose caller does not take its output.
func (d *Deployer) removeAll(ctx context.Context, name string) error {
	for end := time.Now().Add(cleanupTime); ; {
		begun := d.oneOffs.of(name) // asked before the removal
		if err := d.Engine.Remove(ctx, runner.Selector{App: name}, d.Limits.Stop); err != nil {
			return err
		}
		if len(begun) == 0 || time.Now().After(end) {
			return nil
		}
		if err := untilStayed(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// DeleteCache implements apps.Runtime.
func (d *Deployer) DeleteCache(ctx context.Context, name string) error {
	app, err := d.Store.App(ctx, name)
	if err != nil {
		return err
	}
	leave, ok := d.queue.try(name, app.Owner, "the deletion of the build cache of "+name)
	if !ok {
		return fmt.Errorf("the build cache of %s is in use: wait for the deployment under way ('deployment-follow %s'), or cancel it ('deployment-cancel %s')", name, name, name)
	}
	defer leave()
	return d.Builder.DeleteCache(ctx, name)
}
