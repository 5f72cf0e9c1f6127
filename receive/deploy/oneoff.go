package deploy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"boathook/receive/applog"
	"boathook/receive/apps"
	"boathook/receive/state"
	"boathook/runner"
)

// oneOff is the type of the containers that `run` makes. They are of the release that was live when they began, and stay it. One that is
// attached to its caller ends with him and with this process; a detached one goes on, also without boathook, until it ends by itself or is
// stopped.
const oneOff = "one-off"

// oneOffs is the one-offs that this process has begun and is not done with, by app and number.
type oneOffs struct {
	mu     sync.Mutex // guards what follows
	begun  map[string]map[int]bool
	barred map[string]string // apps of which none may begin, and why
}

// bar lets none of an app begin until the returned function is called; why is what whoever wants to is told.
func (o *oneOffs) bar(app, why string) (lift func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.barred == nil {
		o.barred = map[string]string{}
	}
	o.barred[app] = why
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.barred, app)
	}
}

// take finds a number that no one-off of the app has; the returned function gives it back. others are those that the engine has: with those there
// may be limit of them.
func (o *oneOffs) take(app string, others []runner.Instance, limit int) (number int, give func(), err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if why := o.barred[app]; why != "" {
		return 0, nil, errors.New(why)
	}
	taken := map[int]bool{}
	for number := range o.begun[app] {
		taken[number] = true
	}
	for _, i := range others {
		taken[i.Number] = true
	}
	if len(taken) >= limit {
		return 0, nil, fmt.Errorf("%s runs %d one-offs already: wait for one, or stop one that 'ps %s' lists with 'one-off-stop %s NAME'", app, limit, app, app)
	}
	for number = 0; number == 0 || taken[number]; {
		number = 1000 + rand.IntN(9000)
	}
	if o.begun == nil {
		o.begun = map[string]map[int]bool{}
	}
	if o.begun[app] == nil {
		o.begun[app] = map[int]bool{}
	}
	o.begun[app][number] = true
	return number, func() { o.give(app, number) }, nil
}

// of is the names of an app's.
func (o *oneOffs) of(app string) (names []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for number := range o.begun[app] {
		names = append(names, oneOffName(number))
	}
	return names
}

func oneOffName(number int) string { return fmt.Sprintf("%s-%d", oneOff, number) }

func (o *oneOffs) give(app string, number int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if delete(o.begun[app], number); len(o.begun[app]) == 0 {
		delete(o.begun, app)
	}
}

func (o *oneOffs) has(i runner.Instance) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.begun[i.App][i.Number]
}

func (o *oneOffs) empty() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.begun) == 0
}

// Run implements apps.Runtime: a command in a container of the live release.
func (d *Deployer) Run(ctx context.Context, name string, o apps.OneOff) (status int, err error) {
	spec, err := d.oneOffSpec(ctx, name, o)
	if err != nil {
		return 0, err
	}
	others, err := d.oneOffsOf(ctx, name)
	if err != nil {
		return 0, err
	}
	number, give, err := d.oneOffs.take(name, others, d.Limits.OneOffs)
	if err != nil {
		return 0, err
	}
	defer give()
	spec.First = number
	o.Started(oneOffName(number))
	if o.Detached {
		spec.Replicas = 1
		if _, err = d.Engine.Start(ctx, spec); err != nil {
			err = errors.Join(err, d.removeOneOff(context.WithoutCancel(ctx), name, number))
		}
		return 0, err
	}
	exit, err := d.Engine.Run(ctx, spec, streams(o))
	if err == nil && exit.OOMKilled {
		fmt.Fprintf(o.Err, "%s was out of memory (size %s): a larger one has more ('run --size')\n", oneOffName(number), spec.Env["CONTAINER_SIZE"])
	}
	if errors.Is(err, runner.ErrOutput) {
		err = fmt.Errorf("%s ended with status %d, and %w: run it again, and have its output taken faster, by a file for one", oneOffName(number), exit.Code, err)
	}
	return exit.Code, err
}

// removeOneOff removes what there may be of one whose start has failed.
func (d *Deployer) removeOneOff(ctx context.Context, app string, number int) error {
	ctx, cancel := context.WithTimeout(ctx, cleanupTime)
	defer cancel()
	all, err := d.oneOffsOf(ctx, app)
	for _, i := range all {
		if i.Number == number {
			err = errors.Join(err, d.Engine.RemoveInstance(ctx, i.ID, 0))
		}
	}
	return err
}

func streams(o apps.OneOff) runner.IO {
	if o.Terminal == nil {
		return runner.IO{In: o.In, Out: o.Out, Err: o.Err}
	}
	return runner.IO{In: o.In, Out: o.Out, Terminal: &runner.Terminal{Size: o.Terminal.Size, Resized: o.Terminal.Resized}}
}

// terminalType is what TERM may be: a name of terminfo(5).
var terminalType = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$`)

// oneOffSpec is a container of the app's live release, with the environment of those that serve.
func (d *Deployer) oneOffSpec(ctx context.Context, name string, o apps.OneOff) (runner.Spec, error) {
	app, release, err := d.liveRelease(ctx, name)
	if err != nil {
		return runner.Spec{}, err
	}
	vars, err := d.Store.Variables(ctx, name)
	if err != nil {
		return runner.Spec{}, fmt.Errorf("variables: %w", err)
	}
	for name, value := range o.Env {
		vars[name] = value
	}
	spec, err := d.spec(app, release, resolveAliases(vars), state.ProcessType{Name: oneOff, Command: o.Command, Size: o.Size})
	if err != nil {
		return runner.Spec{}, err
	}
	spec.Port = true // as the app's own containers have $PORT
	if o.Terminal != nil && terminalType.MatchString(o.Terminal.Type) {
		spec.Env["TERM"] = o.Terminal.Type
	}
	return spec, nil
}

// oneOffsOf lists the app's, of all releases.
func (d *Deployer) oneOffsOf(ctx context.Context, app string) ([]runner.Instance, error) {
	return d.Engine.List(ctx, runner.Selector{App: app, Type: oneOff})
}

// StopOneOff implements apps.Runtime.
func (d *Deployer) StopOneOff(ctx context.Context, app, container string) error {
	all, err := d.oneOffsOf(ctx, app)
	if err != nil {
		return err
	}
	for _, i := range all {
		if i.Name() == container || strconv.Itoa(i.Number) == container {
			return d.Engine.RemoveInstance(ctx, i.ID, d.Limits.Stop)
		}
	}
	return fmt.Errorf("%s runs no such one-off: 'ps %s' lists them", app, app)
}

// endOneOff is called when the output of a detached one-off has been carried into the log: it says how the one-off has ended, and
// removes it. It tells whether that is so. told is whether an earlier call has said it.
func (c *collector) endOneOff(ctx context.Context, log *applog.Log, id string, told *bool) bool {
	all, err := c.Engine.List(ctx, runner.Selector{Type: oneOff})
	if err != nil {
		c.Log.Error("one-off not ended", "err", err)
		return false
	}
	for _, i := range all {
		if i.ID != id {
			continue
		}
		if i.Phase != runner.Exited {
			return false
		}
		if !*told {
			if err := log.Append(applog.Entry{At: time.Now(), Name: i.Name(), Text: endOf(i), Source: id, Mark: log.Mark(id)}); err != nil {
				c.Log.Error("end of a one-off not kept", "app", i.App, "container", i.Name(), "err", err)
			}
			*told = true
		}
		if err := c.Engine.RemoveInstance(ctx, i.ID, 0); err != nil {
			c.Log.Error("one-off not removed", "app", i.App, "container", i.Name(), "err", err)
			return false
		}
	}
	return true
}

func endOf(i runner.Instance) string {
	switch {
	case i.OOMKilled:
		return "[boathook] was out of memory"
	case i.ExitCode < 0: // of a process that an earlier boathook has started
		return "[boathook] has ended"
	}
	return fmt.Sprintf("[boathook] exited with status %d", i.ExitCode)
}

// removeStrayOneOffs removes those of a group that were attached to callers of a boathook that has died, and those that it has not come to start.
func (d *Deployer) removeStrayOneOffs(ctx context.Context, g runner.Group) error {
	all, err := d.Engine.List(ctx, runner.Selector(g))
	if err != nil {
		return fmt.Errorf("list %s: %w", g, err)
	}
	all = slices.DeleteFunc(all, d.oneOffs.has)
	// Of a detached one that is done with meanwhile, the start has ended, so it is asked again whether it has.
	now, err := d.Engine.List(ctx, runner.Selector(g))
	if err != nil {
		return fmt.Errorf("list %s: %w", g, err)
	}
	for _, i := range now {
		known := slices.ContainsFunc(all, func(one runner.Instance) bool { return one.ID == i.ID })
		if !known || !i.OneOff && i.Phase != runner.Pending {
			continue
		}
		d.Log.Info("stray one-off removed", "app", i.App, "container", i.Name())
		if err := d.Engine.RemoveInstance(ctx, i.ID, 0); err != nil {
			return fmt.Errorf("remove %s: %w", i.Name(), err)
		}
	}
	return nil
}

// removeRelease removes a former version's containers together, and leaves those in which somebody still works.
func (d *Deployer) removeRelease(ctx context.Context, app, release string) error {
	return d.eachGroup(ctx, app, release, func(g runner.Group) error {
		if g.Type == oneOff {
			return nil
		}
		return d.Engine.Remove(ctx, runner.Selector(g), d.Limits.Stop)
	})
}

// keep has the engine start a release's containers again when they end, but not those that are there to end.
func (d *Deployer) keep(ctx context.Context, app, release string) error {
	return d.eachGroup(ctx, app, release, func(g runner.Group) error {
		if !inFormation(g.Type) {
			return nil
		}
		return d.Engine.Keep(ctx, runner.Selector(g))
	})
}

// eachGroup does something with all groups of a release that there are, at the same time.
func (d *Deployer) eachGroup(ctx context.Context, app, release string, do func(runner.Group) error) error {
	groups, err := d.Engine.Groups(ctx)
	if err != nil {
		return err
	}
	tasks := errgroup.Group{}
	for _, g := range groups {
		if g.App == app && g.Release == release {
			tasks.Go(func() error { return do(g) })
		}
	}
	return tasks.Wait()
}

// occupied tells which releases of an app have one-offs.
func (d *Deployer) occupied(ctx context.Context, app string) (map[int64]bool, error) {
	all, err := d.oneOffsOf(ctx, app)
	releases := map[int64]bool{}
	for _, i := range all {
		if id, err := strconv.ParseInt(i.Release, 10, 64); err == nil {
			releases[id] = true
		}
	}
	return releases, err
}
