package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"boathook/receive/state"
	"boathook/runner"
)

// Scale makes the running formation what is wanted: new containers are started and waited for before the router knows them,
// superfluous ones leave the router before they are stopped. A type whose size changes is replaced as Restart does it. It takes
// its turn with deployments.
func (d *Deployer) Scale(ctx context.Context, name string, want []state.ProcessType) error {
	return d.onLive(ctx, name, "scaling", func(app state.App, release state.Release, formation []state.ProcessType) error {
		for i, p := range want {
			if app.Live == 0 {
				break
			}
			want[i].Command = release.Types[p.Name]
			if err := d.scaleType(ctx, app, release, want[i], sizeIn(formation, p.Name)); err != nil {
				return notDone(p.Name+" is not scaled", err)
			}
		}
		return d.Store.SetFormation(ctx, name, want)
	})
}

// Restart replaces the app's containers one by one, all of them or those of some types. A web container is
// replaced while another one takes its requests.
func (d *Deployer) Restart(ctx context.Context, name string, types []string) error {
	return d.onLive(ctx, name, "restart", func(app state.App, release state.Release, formation []state.ProcessType) error {
		if app.Live == 0 {
			return fmt.Errorf("%s has nothing to restart yet: 'git push scalingo master' makes the first release", name)
		}
		for _, p := range formation {
			if len(types) > 0 && !slices.Contains(types, p.Name) {
				continue
			}
			p.Command = release.Types[p.Name]
			olds, err := d.Engine.List(ctx, runner.Selector{App: name, Release: strconv.FormatInt(app.Live, 10), Type: p.Name})
			if err == nil {
				err = d.roll(ctx, app, release, p, olds)
			}
			if err != nil {
				return notDone(p.Name+" is not restarted", err)
			}
		}
		return nil
	})
}

// onLive does something with an app's live release while nobody else does: it waits for its turn in the app's queue. Slots that were given up are tried anew.
func (d *Deployer) onLive(ctx context.Context, name, purpose string, do func(state.App, state.Release, []state.ProcessType) error) error {
	app, err := d.Store.App(ctx, name)
	if err != nil {
		return err
	}
	leave, err := d.queue.enter(ctx, name, app.Owner, purpose+" of "+name, func(string) {})
	if err != nil {
		return err
	}
	defer leave()
	give, err := d.claims.take(ctx, name, purpose)
	if err != nil {
		return err
	}
	defer give()
	d.reconciler.crashes.forget(name, "")
	defer func() { d.reconciler.look(name, time.Now()) }()
	app, release, err := d.liveRelease(ctx, name)
	if err != nil {
		return err
	}
	formation, err := d.Store.Formation(ctx, name)
	if err != nil {
		return err
	}
	return do(app, release, formation)
}

// notDone says what was not done and why, as the person who asked for it can use it.
func notDone(what string, err error) error {
	var failure *Failure
	if errors.As(err, &failure) {
		return fmt.Errorf("%s. %s", what, failure.summary())
	}
	return fmt.Errorf("%s: %w", what, err)
}

// scaleType brings one process type to its amount and size.
func (d *Deployer) scaleType(ctx context.Context, app state.App, release state.Release, p state.ProcessType, oldSize string) error {
	group := runner.Group{App: app.Name, Release: strconv.FormatInt(app.Live, 10), Type: p.Name}
	instances, err := d.Engine.List(ctx, runner.Selector(group))
	if err != nil {
		return err
	}
	used := map[int]bool{}
	var staying, leaving []runner.Instance
	for _, i := range instances {
		if i.Number > p.Amount {
			leaving = append(leaving, i)
			continue
		}
		staying = append(staying, i)
		used[i.Number] = true
	}
	if p.Size != oldSize {
		if err := d.roll(ctx, app, release, p, staying); err != nil {
			return err
		}
	}
	if err := d.grow(ctx, app, release, p, used); err != nil {
		return err
	}
	for _, i := range leaving {
		if err := d.remove(ctx, app.Name, i); err != nil {
			return err
		}
	}
	return d.Engine.Keep(ctx, runner.Selector(group))
}

// grow starts the containers whose numbers are not used; if one of them fails, all are gone again.
func (d *Deployer) grow(ctx context.Context, app state.App, release state.Release, p state.ProcessType, used map[int]bool) error {
	var started []runner.Instance
	for number := 1; number <= p.Amount; number++ {
		if used[number] {
			continue
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
	return d.routes.refresh(ctx, app.Name)
}

// roll replaces containers of one type one by one. As a number is free for the new container only when the old one has
// gone, a web type gets one container more meanwhile; it is also what shows, before anything is touched, that a new one starts.
func (d *Deployer) roll(ctx context.Context, app state.App, release state.Release, p state.ProcessType, olds []runner.Instance) (err error) {
	if p.Name == web && len(olds) > 0 {
		extra, err := d.startAndWait(ctx, app, release, p, olds[len(olds)-1].Number+maxReplicas)
		if err != nil {
			return err
		}
		if err := d.routes.refresh(ctx, app.Name); err != nil {
			return errors.Join(err, d.Engine.RemoveInstance(context.WithoutCancel(ctx), extra.ID, 0))
		}
		defer func() { err = errors.Join(err, d.remove(context.WithoutCancel(ctx), app.Name, extra)) }()
	}
	for _, old := range olds {
		if err := d.remove(ctx, app.Name, old); err != nil {
			return err
		}
		started, err := d.startAndWait(ctx, app, release, p, old.Number)
		if err != nil {
			return err
		}
		if err := d.routes.refresh(ctx, app.Name); err != nil {
			return err
		}
		if err := d.Engine.Keep(ctx, runner.Selector(started.Group)); err != nil {
			return err
		}
	}
	return nil
}

// maxReplicas is more than a type can have, so that the extra container of a roll takes nobody's number.
const maxReplicas = 1000

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
		return runner.Instance{}, errors.Join(err, d.Engine.RemoveInstance(context.WithoutCancel(ctx), started[0].ID, 0))
	}
	d.routes.accepts(started[0])
	return started[0], nil
}

// remove takes one container off the router, lets its requests finish, and stops it.
func (d *Deployer) remove(ctx context.Context, app string, i runner.Instance) error {
	if drain := d.routes.leave(i); drain != nil {
		limited, cancel := context.WithTimeout(ctx, d.Limits.Drain)
		defer cancel()
		if err := drain.Wait(limited); err != nil {
			d.Log.Info("requests cut off", "app", app, "container", i.Name(), "err", err)
		}
		drain.Close()
	}
	return d.Engine.RemoveInstance(ctx, i.ID, d.Limits.Stop)
}
