package deploy

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"boathook/receive/state"
	"boathook/router"
	"boathook/runner"
)

// Rename gives an app another name without losing a request to its domains. The name is in the containers: in their environment, host name and
// network. So the whole formation is started under the new name beside the old one and waited for, as a deployment does; then
// commit makes the new name the app's, in the store and for git, and the router follows. Until commit has succeeded nothing of the app is
// touched but its build cache, which bears its name and must not be found by who takes the old name next; a crash leaves strays of one of the
// two names, which Recover removes. It is refused while anybody else is at work on the app.
func (d *Deployer) Rename(ctx context.Context, name, to string, commit func(context.Context) error) error {
	app, err := d.Store.App(ctx, name)
	if err != nil {
		return err
	}
	leave, leaveNew, err := d.enterNames(app, to)
	if err != nil {
		return err
	}
	defer leaveNew()
	give, err := d.claims.take(ctx, name, "rename")
	if err != nil {
		leave()
		return err
	}
	defer give()
	lift := d.oneOffs.bar(name, name+" is being renamed: run this under its new name in a moment")
	r, err := d.renaming(ctx, name, to)
	if err != nil {
		lift()
		leave()
		return err
	}
	counted := d.inHand.take(r.id)
	done := func() { counted(); lift(); leave() }
	if err := r.run(ctx, commit, done); err != nil {
		done()
		return notDone(name+" is not renamed", err)
	}
	return nil
}

// enterNames takes the turn of both names. Containers of one app must not come to those of another that takes one of the names meanwhile, as
// they would share a network: the old name is left when the last of its containers is gone.
func (d *Deployer) enterNames(app state.App, to string) (leaveOld, leaveNew func(), err error) {
	purpose := "the renaming of " + app.Name
	leaveOld, ok := d.queue.try(app.Name, app.Owner, purpose)
	if !ok {
		return nil, nil, fmt.Errorf("%s is at work: a deployment, scaling or restart is under way or waits; when it has ended ('deployment-follow %s') or is cancelled ('deployment-cancel %s'), rename again", app.Name, app.Name, app.Name)
	}
	leaveNew, ok = d.queue.try(to, app.Owner, purpose)
	if !ok {
		leaveOld()
		return nil, nil, fmt.Errorf("the name %s is in use: what had it before has not ended yet; choose another, or try again in a minute", to)
	}
	return leaveOld, leaveNew, nil
}

// renaming is a deployment of the live release under another name: its app has that name already.
type renaming struct {
	*deployment
	old  string
	live state.Release
}

// renaming reads what the app is when it is nobody else's turn.
func (d *Deployer) renaming(ctx context.Context, name, to string) (*renaming, error) {
	app, live, err := d.liveRelease(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := d.idle(ctx, name); err != nil {
		return nil, err
	}
	r := &renaming{deployment: &deployment{Deployer: d, app: app, id: strconv.FormatInt(app.Live, 10)}, old: name, live: live}
	r.app.Name = to
	if app.Live == 0 {
		return r, nil
	}
	if r.formation, err = d.Store.Formation(ctx, name); err != nil {
		return nil, err
	}
	for n := range r.formation {
		r.formation[n].Command = live.Types[r.formation[n].Name]
	}
	vars, err := d.Store.Variables(ctx, name)
	if err != nil {
		return nil, err
	}
	r.vars = resolveAliases(vars)
	return r, nil
}

// idle is an error if somebody works in a one-off of the app. No other can begin meanwhile.
func (d *Deployer) idle(ctx context.Context, name string) error {
	begun := d.oneOffs.of(name) // before the engine is asked: one that has begun since is there
	ones, err := d.oneOffsOf(ctx, name)
	if err != nil {
		return err
	}
	for _, i := range ones {
		begun = append(begun, i.Name())
	}
	if len(begun) > 0 {
		return fmt.Errorf("%s is not renamed: somebody works in %s of it; wait for its end, or stop it with 'one-off-stop %s %s'", name, begun[0], name, begun[0])
	}
	return nil
}

// run is the renaming in the order in which it happens. If it succeeds done is called when the containers of the old name are gone.
func (r *renaming) run(ctx context.Context, commit func(context.Context) error, done func()) error {
	instances, err := r.startAll(ctx)
	if err == nil {
		err = r.Builder.DeleteCache(ctx, r.old)
	}
	if err == nil {
		err = context.Cause(ctx) // from here on nobody is listened to
	}
	if err == nil {
		err = commit(context.WithoutCancel(ctx))
	}
	if err != nil {
		return r.undo(ctx, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), switchTime)
	defer cancel()
	drain := r.routes.rename(r.old, r.app.Name, r.id, instances)
	r.swapped(ctx, drain)
	r.follow(ctx, drain, done)
	return nil
}

// startAll starts the formation under the new name and waits for it. An app that was never deployed has nothing to start.
func (r *renaming) startAll(ctx context.Context) ([]runner.Instance, error) {
	if err := r.startFormation(ctx, r.live); err != nil {
		return nil, err
	}
	guarded, rest := r.guard(ctx)
	defer rest()
	release := runner.Selector{App: r.app.Name, Release: r.id}
	instances, err := r.Engine.List(guarded, release)
	if err != nil {
		return nil, r.because(guarded, err)
	}
	if err := r.waitFor(guarded, instances); err != nil {
		return nil, err
	}
	return r.Engine.List(ctx, release) // with the addresses that they have now
}

// undo removes what the new name has got.
func (r *renaming) undo(ctx context.Context, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if undone := r.Engine.Remove(ctx, runner.Selector{App: r.app.Name, Release: r.id}, 0); undone != nil {
		r.Log.Error("containers of a new name not removed", "app", r.app.Name, "err", undone) // the reconciler will
	}
	return err
}

// follow has everything else know the new name, and ends what has the old one once its requests are answered.
func (r *renaming) follow(ctx context.Context, drain *router.Drain, done func()) {
	r.RouterLog.set(r.old, nil)
	if err := r.showRouterLogs(ctx, r.app.Name); err != nil {
		r.Log.Error("router log not kept", "app", r.app.Name, "err", err)
	}
	r.reconciler.crashes.forget(r.old, "")
	if err := r.keep(ctx, r.app.Name, r.id); err != nil {
		r.Log.Error("restart policy not set", "app", r.app.Name, "err", err)
	}
	// What has changed under the old name since it was read was no news of the new one.
	if err := r.Reroute(ctx, r.app.Name); err != nil {
		r.Log.Error("rules not read anew", "app", r.app.Name, "err", err)
	}
	r.reconciler.look(r.app.Name, time.Now())
	r.background.Go(func() {
		defer done()
		r.end(drain)
	})
}

// end retires the containers of the old name.
func (r *renaming) end(drain *router.Drain) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.stop), r.Limits.Drain)
	defer cancel()
	if err := drain.Wait(ctx); err != nil {
		r.Log.Info("requests cut off", "app", r.old, "err", err)
	}
	drain.Close()
	ctx, cancel = context.WithTimeout(context.WithoutCancel(r.stop), r.Limits.Stop+cleanupTime)
	defer cancel()
	if err := r.removeRelease(ctx, r.old, r.id); err != nil {
		r.Log.Error("old containers not removed", "app", r.old, "err", err)
	}
}
