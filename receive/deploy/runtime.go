package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"boathook/receive/apps"
	"boathook/receive/state"
	"boathook/runner"
)

// The methods of this file implement apps.Runtime: what a running app can be asked and told.

// Instances lists the app's containers of the live release.
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
	var containers []apps.Container
	for _, i := range instances {
		containers = append(containers, apps.Container{
			Name: i.Name(), State: stateOf(i), Command: release.Types[i.Type], Size: sizeIn(formation, i.Type), Since: i.Started,
		})
	}
	for _, s := range d.reconciler.crashes.given(name, strconv.FormatInt(app.Live, 10)) {
		since, _ := d.reconciler.crashes.gaveUp(s)
		containers = append(containers, apps.Container{
			Name: s.name(), State: "crashed", Command: release.Types[s.Type], Size: sizeIn(formation, s.Type), Since: since,
		})
	}
	return containers, nil
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
	return d.routes.reload(app, func() (state.Routing, error) { return d.Store.Routing(ctx, app) })
}

// Destroy removes everything of an app but its record: route, containers, images, build cache.
func (d *Deployer) Destroy(ctx context.Context, name string) error {
	app, err := d.Store.App(ctx, name)
	if err != nil {
		return err
	}
	leave, err := d.queue.enter(ctx, name, app.Owner, "destruction of "+name, func(string) {})
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
	if err := d.Engine.Remove(ctx, runner.Selector{App: name}, d.Limits.Stop); err != nil {
		return err
	}
	releases, err := d.Store.Releases(ctx, name)
	if err != nil {
		return err
	}
	for _, release := range releases {
		d.discard(ctx, release)
	}
	return d.Builder.DeleteCache(ctx, name)
}

// Logs writes the output of the app's containers, each line with the container's name.
func (d *Deployer) Logs(ctx context.Context, name string, opt apps.LogOptions, w io.Writer) error {
	app, err := d.Store.App(ctx, name)
	if err != nil || app.Live == 0 {
		return err
	}
	instances, err := d.Engine.List(ctx, runner.Selector{App: name, Release: strconv.FormatInt(app.Live, 10)})
	if err != nil {
		return err
	}
	var (
		writing sync.Mutex // guards w and failed
		failed  error
		reading sync.WaitGroup
	)
	for _, i := range instances {
		if opt.Filter != "" && opt.Filter != i.Name() && opt.Filter != i.Type {
			continue
		}
		read := func() {
			lines := &labelled{mu: &writing, w: w, label: "[" + i.Name() + "] "}
			err := d.Engine.Logs(ctx, i.ID, runner.LogOptions{Tail: opt.Lines, Follow: opt.Follow}, lines)
			lines.flush()
			writing.Lock()
			defer writing.Unlock()
			if !errors.Is(err, runner.ErrNotFound) && ctx.Err() == nil {
				failed = errors.Join(failed, err)
			}
		}
		if opt.Follow {
			reading.Go(read)
		} else {
			read()
		}
	}
	reading.Wait()
	return errors.Join(failed, d.lastWords(app, opt, w))
}

// lastWords writes what given-up containers have said last.
func (d *Deployer) lastWords(app state.App, opt apps.LogOptions, w io.Writer) error {
	var writing sync.Mutex
	for _, s := range d.reconciler.crashes.given(app.Name, strconv.FormatInt(app.Live, 10)) {
		if opt.Filter != "" && opt.Filter != s.name() && opt.Filter != s.Type {
			continue
		}
		_, output := d.reconciler.crashes.gaveUp(s)
		lines := &labelled{mu: &writing, w: w, label: "[" + s.name() + "] "}
		_, err := io.WriteString(lines, output)
		lines.flush()
		if err != nil {
			return err
		}
	}
	return nil
}

// labelled puts a label before each line and writes whole lines only.
type labelled struct {
	mu      *sync.Mutex // guards w, which others write to
	w       io.Writer
	label   string
	partial string
}

func (l *labelled) Write(p []byte) (int, error) {
	l.partial += string(p)
	for {
		line, rest, whole := strings.Cut(l.partial, "\n")
		if !whole {
			return len(p), nil
		}
		l.partial = rest
		if err := l.line(line); err != nil {
			return 0, err
		}
	}
}

func (l *labelled) line(text string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := fmt.Fprintln(l.w, l.label+printable(text))
	return err
}

func (l *labelled) flush() {
	if l.partial != "" {
		_ = l.line(l.partial) // a reader that is gone is noticed by the next line
		l.partial = ""
	}
}
