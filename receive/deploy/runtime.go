package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
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

// Scale makes the running formation what is wanted: new containers are started and waited for before the router knows them,
// superfluous ones leave the router before they are stopped. A type whose size changed is replaced, new before old. It takes its turn with deployments.
func (d *Deployer) Scale(ctx context.Context, name string, want []state.ProcessType) error {
	app, err := d.Store.App(ctx, name)
	if err != nil {
		return err
	}
	leave, err := d.queue.enter(ctx, name, app.Owner, "scaling of "+name, func(string) {})
	if err != nil {
		return err
	}
	defer leave()
	give, err := d.claims.take(ctx, name, "scaling")
	if err != nil {
		return err
	}
	defer give()
	d.reconciler.crashes.forget(name, "")
	app, release, err := d.liveRelease(ctx, name)
	if err != nil {
		return err
	}
	before, err := d.Store.Formation(ctx, name)
	if err != nil {
		return err
	}
	if app.Live == 0 {
		return d.Store.SetFormation(ctx, name, want)
	}
	for i := range want {
		want[i].Command = release.Types[want[i].Name]
	}
	for _, p := range want {
		if err := d.scaleType(ctx, app, release, p, sizeIn(before, p.Name)); err != nil {
			var failure *Failure
			if errors.As(err, &failure) {
				return fmt.Errorf("%s is not scaled. %s", p.Name, failure.summary())
			}
			return fmt.Errorf("scale %s: %w", p.Name, err)
		}
	}
	return d.Store.SetFormation(ctx, name, want)
}

// scaleType brings one process type to its amount and size.
func (d *Deployer) scaleType(ctx context.Context, app state.App, release state.Release, p state.ProcessType, oldSize string) error {
	group := runner.Group{App: app.Name, Release: strconv.FormatInt(app.Live, 10), Type: p.Name}
	instances, err := d.Engine.List(ctx, runner.Selector(group))
	if err != nil {
		return err
	}
	used := map[int]bool{}
	var leaving []runner.Instance
	for _, i := range instances {
		resized := p.Size != oldSize
		if i.Number > p.Amount || resized || i.Phase == runner.Exited {
			leaving = append(leaving, i)
		} else {
			used[i.Number] = true
		}
	}
	var started []runner.Instance
	for number := 1; number <= p.Amount; number++ {
		if used[number] {
			continue
		}
		// A replaced container gives its number up first; names are unique on the engine.
		if at := slices.IndexFunc(leaving, func(i runner.Instance) bool { return i.Number == number }); at >= 0 {
			if err := d.remove(ctx, app.Name, leaving[at]); err != nil {
				return err
			}
			leaving = slices.Delete(leaving, at, at+1)
		}
		i, err := d.startAndWait(ctx, app, release, p, number)
		if err != nil {
			for _, i := range started {
				err = errors.Join(err, d.Engine.RemoveInstance(context.WithoutCancel(ctx), i.ID, 0))
			}
			return err
		}
		started = append(started, i)
	}
	if _, err := d.routes.refresh(ctx, app.Name); err != nil {
		return err
	}
	for _, i := range leaving {
		if err := d.remove(ctx, app.Name, i); err != nil {
			return err
		}
	}
	return d.Engine.Keep(ctx, runner.Selector(group))
}

// startAndWait starts one more container of the live release; on an error it is gone again.
func (d *Deployer) startAndWait(ctx context.Context, app state.App, release state.Release, p state.ProcessType, number int) (runner.Instance, error) {
	vars, err := d.Store.Variables(ctx, app.Name)
	if err != nil {
		return runner.Instance{}, err
	}
	r := &deployment{Deployer: d, app: app, formation: []state.ProcessType{p}, id: strconv.FormatInt(app.Live, 10)}
	spec, err := d.spec(app, release, resolveAliases(vars), p)
	if err != nil {
		return runner.Instance{}, err
	}
	spec.First, spec.Replicas = number, 1
	started, err := d.Engine.Start(ctx, spec)
	if err != nil {
		return runner.Instance{}, err
	}
	guarded, rest := r.guard(ctx)
	err = r.waitFor(guarded, started)
	rest()
	if err != nil {
		err = errors.Join(err, d.Engine.RemoveInstance(context.WithoutCancel(ctx), started[0].ID, 0))
	}
	return started[0], err
}

// remove takes one container off the router, lets its requests finish, and stops it.
func (d *Deployer) remove(ctx context.Context, app string, i runner.Instance) error {
	drain, err := d.routes.refresh(ctx, app, i.ID)
	if err != nil {
		return err
	}
	if drain != nil {
		limited, cancel := context.WithTimeout(ctx, d.Limits.Drain)
		defer cancel()
		if err := drain.Wait(limited); err != nil {
			d.Log.Info("requests cut off", "app", app, "container", i.Name(), "err", err)
		}
		drain.Close()
	}
	return d.Engine.RemoveInstance(ctx, i.ID, d.Limits.Stop)
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
