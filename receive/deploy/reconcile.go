package deploy

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"boathook/receive/state"
	"boathook/runner"
)

// How soon an app is looked at again: at the latest, when a repair did not work, and when a container has ended (longer each time).
const (
	lookEvery  = time.Minute
	lookSoon   = 5 * time.Second
	firstRetry = 100 * time.Millisecond
	lastRetry  = time.Minute
)

// reconciler keeps the containers of the live releases as the formations want them: what somebody removed is started again, what has
// ended and is not restarted by the engine is replaced, what is too much goes, and what crashes Limits.Crashes times in a row is given up.
type reconciler struct {
	*Deployer
	crashes *crashes

	wake chan struct{} // holds a token when due has changed
	mu   sync.Mutex    // guards due
	due  map[string]time.Time
}

func newReconciler(d *Deployer) *reconciler {
	return &reconciler{Deployer: d, crashes: newCrashes(d.Limits.Crashes), wake: make(chan struct{}, 1), due: map[string]time.Time{}}
}

// look asks for an app to be looked at, at the time given or earlier.
func (r *reconciler) look(app string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if before, ok := r.due[app]; ok && before.Before(at) {
		return
	}
	r.due[app] = at
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// next returns an app whose time has come, or how long there is none.
func (r *reconciler) next(now time.Time) (app string, pause time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pause = lookEvery
	for name, at := range r.due {
		if wait := at.Sub(now); wait <= 0 {
			delete(r.due, name)
			return name, 0
		} else {
			pause = min(pause, wait)
		}
	}
	return "", pause
}

// run looks at what is due until ctx ends, and for strays every minute.
func (r *reconciler) run(ctx context.Context) {
	sweep := time.Now().Add(lookSoon)
	for ctx.Err() == nil {
		if time.Now().After(sweep) {
			if err := r.removeStrays(ctx); err != nil && ctx.Err() == nil {
				r.Log.Error("strays not removed", "err", err)
			}
			sweep = time.Now().Add(lookEvery)
		}
		app, pause := r.next(time.Now())
		if app != "" {
			r.reconcile(ctx, app)
			continue
		}
		timer := time.NewTimer(min(pause, time.Until(sweep)))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-r.wake:
		}
		timer.Stop()
	}
}

// reconcile looks at one app, repairs what it can, and says when to look again.
func (r *reconciler) reconcile(ctx context.Context, name string) {
	give, other := r.claims.try(name, "repair")
	if other != nil {
		r.look(name, time.Now().Add(lookSoon))
		return
	}
	defer give()
	again, err := r.repair(ctx, name)
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		r.Log.Error("app not repaired", "app", name, "err", err)
		again = lookSoon
	}
	if again > 0 {
		r.look(name, time.Now().Add(again))
	}
}

// repair makes what runs what should. It returns after how long to look again; 0 for an app that has nothing to run.
func (r *reconciler) repair(ctx context.Context, name string) (again time.Duration, err error) {
	app, release, err := r.liveRelease(ctx, name)
	if errors.Is(err, state.ErrNotFound) || err == nil && app.Live == 0 {
		return 0, nil // destroyed meanwhile, or never deployed
	}
	if err != nil {
		return 0, err
	}
	formation, err := r.Store.Formation(ctx, name)
	if err != nil {
		return 0, err
	}
	live := strconv.FormatInt(app.Live, 10)
	instances, err := r.Engine.List(ctx, runner.Selector{App: name, Release: live})
	if err != nil {
		return 0, err
	}
	work := &repair{reconciler: r, app: app, release: release, again: lookEvery, missing: map[slot]state.ProcessType{}}
	for _, p := range formation {
		for number := 1; number <= p.Amount; number++ {
			work.missing[slot{runner.Group{App: name, Release: live, Type: p.Name}, number}] = p
		}
	}
	if err := work.inspect(ctx, instances); err != nil {
		return 0, err
	}
	if err := work.fill(ctx); err != nil {
		return 0, err
	}
	return work.again, nil
}

// repair is one look at one app.
type repair struct {
	*reconciler
	app     state.App
	release state.Release
	missing map[slot]state.ProcessType // slots that need a container; inspect leaves those for which none is found
	again   time.Duration              // when to look again
}

// inspect removes what is too much, what has ended, and what has crashed too often.
func (r *repair) inspect(ctx context.Context, instances []runner.Instance) error {
	for _, i := range instances {
		if isHook(i.Type) {
			continue
		}
		_, wanted := r.missing[slotOf(i)]
		row, tooMany := r.crashes.see(i, time.Now())
		var err error
		switch {
		case !wanted:
			r.Log.Info("superfluous container removed", "app", r.app.Name, "container", i.Name())
			err = r.remove(ctx, r.app.Name, i)
		case tooMany:
			err = r.giveUp(ctx, i)
		case i.Phase == runner.Exited:
			err = r.replace(ctx, i, row)
		default:
			delete(r.missing, slotOf(i))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// replace removes an ended container when its backoff is over; until then its slot counts as filled.
func (r *repair) replace(ctx context.Context, i runner.Instance, row int) error {
	wait := min(firstRetry<<min(row, 16), lastRetry)
	if since := time.Since(i.Started); row > 0 && since < wait {
		r.again = min(r.again, wait-since)
		delete(r.missing, slotOf(i))
		return nil
	}
	r.Log.Info("ended container replaced", "app", r.app.Name, "container", i.Name(), "status", i.ExitCode)
	return r.Engine.RemoveInstance(ctx, i.ID, 0)
}

// giveUp removes a container that crashes again and again.
func (r *repair) giveUp(ctx context.Context, i runner.Instance) error {
	r.Log.Warn("container given up", "app", r.app.Name, "container", i.Name(), "crashes", r.Limits.Crashes, "status", i.ExitCode)
	r.crashes.giveUp(slotOf(i), time.Now())
	return r.Engine.RemoveInstance(ctx, i.ID, 0)
}

// fill starts what is missing and not given up.
func (r *repair) fill(ctx context.Context) error {
	for _, s := range r.crashes.given(r.app.Name, strconv.FormatInt(r.app.Live, 10)) {
		delete(r.missing, s)
	}
	for s, p := range r.missing {
		if err := r.startOne(ctx, r.app, r.release, p, s.number); err != nil {
			return err
		}
		r.Log.Info("missing container started", "app", r.app.Name, "container", s.name())
	}
	return nil
}
