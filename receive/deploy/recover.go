package deploy

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"boathook/receive/gitpack"
	"boathook/receive/state"
	"boathook/runner"
)

// Recover brings the engine, the router and the refs in step with what the store knows. Call it once, before the first push: deployments
// that were under way when boathook ended become aborted, their containers and images are removed, every live release is
// routed to. Containers of it that are missing are started in the background, as they are from then on.
func (d *Deployer) Recover(ctx context.Context) error {
	apps, err := d.Store.Apps(ctx)
	if err != nil {
		return fmt.Errorf("apps: %w", err)
	}
	unfinished, err := d.Store.Unfinished(ctx)
	if err != nil {
		return fmt.Errorf("unfinished deployments: %w", err)
	}
	if err := d.spareFormer(ctx, apps); err != nil {
		return err
	}
	// Containers go before the images that they are made of.
	if err := d.removeStrays(ctx); err != nil {
		return err
	}
	for _, dead := range unfinished {
		if err := d.bury(ctx, dead); err != nil {
			return fmt.Errorf("deployment %d: %w", dead.ID, err)
		}
	}
	for _, app := range apps {
		if err := errors.Join(d.Reroute(ctx, app.Name), d.revive(ctx, app)); err != nil {
			// One app that cannot be brought back must not keep the others from being served.
			d.Log.Error("app not revived, tried again soon", "app", app.Name, "err", err)
			d.background.Go(func() { d.reviveLater(app.Name) })
		}
	}
	if err := d.sweepLogs(ctx); err != nil {
		d.Log.Error("logs of former apps not removed", "err", err)
	}
	d.background.Go(func() { d.collect(d.stop) })
	d.background.Go(func() { d.routes.follow(d.stop, func(app string) { d.reconciler.look(app, time.Now()) }) })
	d.background.Go(func() { d.reconciler.run(d.stop) })
	d.background.Go(func() { d.pruneAll(apps) })
	return nil
}

// spareFormer leaves the versions that were live before alone until routers elsewhere know that they are not any more: boathook may have died
// between the record of a switch, or of another name of the app, and the moment in which they followed.
func (d *Deployer) spareFormer(ctx context.Context, apps []state.App) error {
	if d.Followed == nil {
		return nil
	}
	var spared []func()
	for _, app := range apps {
		all, err := d.Store.Deployments(ctx, app.Name, 0)
		if err != nil {
			return fmt.Errorf("deployments of %s: %w", app.Name, err)
		}
		for _, former := range all {
			if former.Status == state.Success { // under the former name, the live one is a former one too
				spared = append(spared, d.inHand.take(strconv.FormatInt(former.ID, 10)))
			}
		}
	}
	d.background.Go(func() {
		err := d.Followed(d.stop)
		for _, done := range spared {
			done()
		}
		if err == nil {
			err = d.removeStrays(d.stop)
		}
		if err != nil && d.stop.Err() == nil {
			d.Log.Error("former versions not removed", "err", err)
		}
	})
	return nil
}

// pruneAll removes what retirements that died with an earlier boathook would have removed, and what a smaller Limits.Releases does.
func (d *Deployer) pruneAll(apps []state.App) {
	for _, app := range apps {
		if d.stop.Err() != nil {
			return
		}
		if app.Live != 0 {
			d.prune(context.WithoutCancel(d.stop), app.Name)
		}
	}
}

// bury ends a deployment that died with an earlier boathook.
func (d *Deployer) bury(ctx context.Context, dead state.Deployment) error {
	if err := d.Store.SetStatus(ctx, dead.ID, state.Aborted, "boathook was stopped during the deployment"); err != nil {
		return err
	}
	if err := d.restoreRef(ctx, dead); err != nil {
		return err
	}
	release, err := d.Store.Release(ctx, dead.ID)
	if errors.Is(err, state.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	d.discard(ctx, release)
	return nil
}

// restoreRef puts the branch of a dead deployment back to the last commit of it that went live, or removes it.
func (d *Deployer) restoreRef(ctx context.Context, dead state.Deployment) error {
	if dead.Ref == "" { // a redeployment moves none
		return nil
	}
	now, err := d.Refs.Head(ctx, dead.App, dead.Ref)
	if err != nil || now != dead.Commit {
		return err
	}
	before := gitpack.ZeroID
	all, err := d.Store.Deployments(ctx, dead.App, 0)
	if err != nil {
		return err
	}
	for _, other := range all {
		if other.Status == state.Success && other.Ref == dead.Ref {
			before = other.Commit
			break
		}
	}
	if before == now {
		return nil
	}
	return d.Refs.SetHead(ctx, dead.App, dead.Ref, now, before)
}

// revive routes to an app's live release and has the reconciler start what is missing of it. The switch to it may have been cut
// short before the engine was told to keep its containers.
func (d *Deployer) revive(ctx context.Context, app state.App) error {
	if err := d.showRouterLogs(ctx, app.Name); err != nil {
		return err
	}
	if app.Live == 0 {
		return nil
	}
	release := runner.Selector{App: app.Name, Release: strconv.FormatInt(app.Live, 10)}
	instances, err := d.Engine.List(ctx, release)
	if err != nil {
		return err
	}
	d.routes.live(app.Name, release.Release, instances)
	d.reconciler.look(app.Name, time.Now())
	return d.keep(ctx, app.Name, release.Release)
}

// reviveLater tries until an app is served, or gone.
func (d *Deployer) reviveLater(name string) {
	for untilStayed(d.stop, lookSoon) == nil {
		give, err := d.claims.take(d.stop, name, "revival")
		if err != nil {
			return // boathook ends
		}
		app, err := d.Store.App(d.stop, name) // it may have another live release by now
		if err == nil {
			err = errors.Join(d.Reroute(d.stop, name), d.revive(d.stop, app))
		}
		give()
		if err == nil || errors.Is(err, state.ErrNotFound) {
			return
		}
		d.Log.Error("app not revived", "app", name, "err", err)
	}
}

// startOne starts one numbered container of the live release.
func (d *Deployer) startOne(ctx context.Context, app state.App, release state.Release, p state.ProcessType, number int) error {
	vars, err := d.Store.Variables(ctx, app.Name)
	if err != nil {
		return fmt.Errorf("variables: %w", err)
	}
	p.Command = release.Types[p.Name]
	spec, err := d.spec(app, release, resolveAliases(vars), p)
	if err != nil {
		return err
	}
	spec.First, spec.Replicas = number, 1
	if _, err := d.Engine.Start(ctx, spec); err != nil {
		return fmt.Errorf("start %s-%d: %w", p.Name, number, err)
	}
	return d.Engine.Keep(ctx, runner.Selector(spec.Group))
}
