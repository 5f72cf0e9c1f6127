package deploy

import (
	"context"
	"errors"
	"strconv"

	"boathook/receive/state"
	"boathook/runner"
)

// rolling is the work on one process type of the live release, for which the app is claimed.
type rolling struct {
	*Deployer
	app     state.App
	release state.Release
	was, p  state.ProcessType // the type as its containers are, and as they are to be
}

func (r *rolling) group() runner.Group {
	return runner.Group{App: r.app.Name, Release: strconv.FormatInt(r.app.Live, 10), Type: r.p.Name}
}

func (r *rolling) list(ctx context.Context) ([]runner.Instance, error) {
	return r.Engine.List(ctx, runner.Selector(r.group()))
}

// divide tells the containers that the type is to have from those that are too many.
func (r *rolling) divide(all []runner.Instance) (staying, leaving []runner.Instance) {
	for _, i := range all {
		if i.Number > r.p.Amount {
			leaving = append(leaving, i)
		} else {
			staying = append(staying, i)
		}
	}
	return staying, leaving
}

// restart replaces the type's containers by equal ones, once those that are missing have been started.
func (r *rolling) restart(ctx context.Context) error {
	all, err := r.list(ctx)
	if err != nil {
		return err
	}
	staying, _ := r.divide(all)
	if _, err := r.grow(ctx, staying); err != nil {
		return err
	}
	return r.roll(ctx, all, staying)
}

// maxReplicas is more than a type can have, so that the extra container of a roll takes nobody's number.
const maxReplicas = 1000

// roll replaces some of all containers one by one. As a number is free for the new container only when the old one has gone, one
// container more runs meanwhile: it shows, before anything is touched, that a new one starts, and does the work of the one that is
// missing. If one cannot be replaced, all are again as they were before the extra one goes; if they cannot be, it stays, as it may be all that
// is left. Then, and when boathook dies, it is superfluous to the reconciler, which first starts what is missing.
func (r *rolling) roll(ctx context.Context, all, olds []runner.Instance) error {
	if len(olds) == 0 {
		return nil
	}
	highest := 0 // an earlier extra one may not be gone yet
	for _, i := range all {
		highest = max(highest, i.Number)
	}
	extra, err := r.start(ctx, r.p, highest+maxReplicas)
	if err != nil {
		return err
	}
	for n, old := range olds {
		if err = r.replace(ctx, old); err == nil {
			continue
		}
		if lost := r.putBack(context.WithoutCancel(ctx), olds[:n+1]); lost != nil {
			r.Log.Error("containers not put back: the extra one stays", "app", r.app.Name, "container", extra.Name(), "err", lost)
			return errors.Join(err, lost)
		}
		break
	}
	if left := r.removeAll(ctx, []runner.Instance{extra}); left != nil {
		r.Log.Error("extra container not removed", "app", r.app.Name, "container", extra.Name(), "err", left) // the reconciler will
	}
	return err
}

func (r *rolling) replace(ctx context.Context, old runner.Instance) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := r.removeAll(ctx, []runner.Instance{old}); err != nil {
		return err
	}
	_, err := r.start(ctx, r.p, old.Number)
	return err
}

// putBack makes the containers of some numbers what they were. Those of a restart are: only what is missing, or has ended, is started.
func (r *rolling) putBack(ctx context.Context, olds []runner.Instance) error {
	all, err := r.list(ctx)
	if err != nil {
		return err
	}
	present := map[int]runner.Instance{}
	for _, i := range all {
		present[i.Number] = i
	}
	for _, old := range olds {
		now, there := present[old.Number]
		if there && now.Phase == runner.Running && (now.ID == old.ID || r.was.Size == r.p.Size) {
			continue
		}
		if there {
			err = errors.Join(err, r.removeAll(ctx, []runner.Instance{now}))
		}
		_, failed := r.start(ctx, r.was, old.Number)
		err = errors.Join(err, failed)
	}
	return err
}

// start starts one more container of the live release, waits for it, and has the router know it; on an error it is gone again.
func (r *rolling) start(ctx context.Context, p state.ProcessType, number int) (runner.Instance, error) {
	i, err := r.startAndWait(ctx, r.app, r.release, p, number)
	if err != nil {
		return i, err
	}
	err = r.routes.refresh(ctx, r.app.Name)
	if err == nil {
		err = r.Engine.Keep(ctx, runner.Selector(i.Group))
	}
	if err != nil {
		return i, errors.Join(err, r.removeAll(ctx, []runner.Instance{i}))
	}
	return i, nil
}

// removeAll removes containers one by one. Whoever asked may have gone: the requests that they have begun are finished all the same.
func (r *rolling) removeAll(ctx context.Context, instances []runner.Instance) (err error) {
	for _, i := range instances {
		err = errors.Join(err, r.remove(context.WithoutCancel(ctx), r.app.Name, i))
	}
	return err
}

// startAndWait starts one more container of the live release; on an error it is gone again.
func (d *Deployer) startAndWait(ctx context.Context, app state.App, release state.Release, p state.ProcessType, number int) (runner.Instance, error) {
	vars, err := d.Store.Variables(ctx, app.Name)
	if err != nil {
		return runner.Instance{}, err
	}
	r := &deployment{Deployer: d, app: app, id: strconv.FormatInt(app.Live, 10), vars: resolveAliases(vars)}
	spec, err := d.spec(app, release, r.vars, p)
	if err != nil {
		return runner.Instance{}, err
	}
	spec.First, spec.Replicas = number, 1
	started, err := d.Engine.Start(ctx, spec)
	if err != nil {
		return runner.Instance{}, err
	}
	guarded, rest := r.guardSome(ctx, 1, func(i runner.Instance) bool { return i.ID == started[0].ID })
	err = r.waitFor(guarded, started)
	rest()
	if err != nil {
		return runner.Instance{}, errors.Join(err, d.Engine.RemoveInstance(context.WithoutCancel(ctx), started[0].ID, 0))
	}
	d.routes.accepts(started[0])
	return started[0], nil
}

// remove takes one container off the router, lets its requests finish, and stops it. One that does not go gets requests again if it still runs.
func (d *Deployer) remove(ctx context.Context, app string, i runner.Instance) error {
	if drain := d.routes.leave(i); drain != nil {
		limited, cancel := context.WithTimeout(ctx, d.Limits.Drain)
		defer cancel()
		if err := drain.Wait(limited); err != nil {
			d.Log.Info("requests cut off", "app", app, "container", i.Name(), "err", err)
		}
		drain.Close()
	}
	err := d.Engine.RemoveInstance(ctx, i.ID, d.Limits.Stop)
	if err != nil {
		err = errors.Join(err, d.routes.stay(ctx, i))
	}
	return err
}
