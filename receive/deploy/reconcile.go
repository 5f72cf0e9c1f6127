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

// repairsAtOnce is how many apps are repaired at the same time: one whose containers take long to stop holds up no other.
const repairsAtOnce = 16

// reconciler keeps the containers of the live releases as the formations want them: what somebody removed is started again, what has
// ended and is not restarted by the engine is replaced, what is too much goes, and what crashes Limits.Crashes times in a row is given up.
type reconciler struct {
	*Deployer
	crashes *crashes

	wake chan struct{} // holds a token when due or busy has changed
	mu   sync.Mutex    // guards what follows
	due  map[string]time.Time
	busy map[string]bool // apps that are being looked at
}

func newReconciler(d *Deployer) *reconciler {
	return &reconciler{Deployer: d, crashes: newCrashes(d.Limits.Crashes), wake: make(chan struct{}, 1), due: map[string]time.Time{}, busy: map[string]bool{}}
}

// look asks for an app to be looked at, at the time given or earlier.
func (r *reconciler) look(app string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if before, ok := r.due[app]; ok && before.Before(at) {
		return
	}
	r.due[app] = at
	r.stir()
}

// stir has run look for what is due.
func (r *reconciler) stir() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// next returns an app whose time has come, which is busy then until done, or how long there is none.
func (r *reconciler) next(now time.Time) (app string, pause time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pause = lookEvery
	if len(r.busy) >= repairsAtOnce {
		return "", pause
	}
	for name, at := range r.due {
		if r.busy[name] {
			continue
		}
		if wait := at.Sub(now); wait <= 0 {
			delete(r.due, name)
			r.busy[name] = true
			return name, 0
		} else {
			pause = min(pause, wait)
		}
	}
	return "", pause
}

// done ends what next began.
func (r *reconciler) done(app string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.busy, app)
	r.stir()
}

// run looks at what is due until ctx ends, and for strays every minute.
func (r *reconciler) run(ctx context.Context) {
	var repairs sync.WaitGroup
	defer repairs.Wait()
	sweep := time.Now().Add(lookSoon)
	for ctx.Err() == nil {
		if !time.Now().Before(sweep) {
			if err := r.removeStrays(ctx); err != nil && ctx.Err() == nil {
				r.Log.Error("strays not removed", "err", err)
			}
			sweep = time.Now().Add(lookEvery)
		}
		app, pause := r.next(time.Now())
		if app != "" {
			repairs.Go(func() {
				defer r.done(app)
				r.reconcile(ctx, app)
			})
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
	work := &repair{reconciler: r, app: app, release: release, again: lookEvery, missing: map[slot]state.ProcessType{}, booting: map[string]bool{}}
	for _, p := range formation {
		for number := 1; number <= p.Amount; number++ {
			work.missing[slot{runner.Group{App: name, Release: live, Type: p.Name}, number}] = p
		}
	}
	left := work.inspect(ctx, instances)
	if isUnavailable(left) {
		return 0, left
	}
	return work.again, errors.Join(left, work.fill(ctx))
}

// repair is one look at one app.
type repair struct {
	*reconciler
	app     state.App
	release state.Release
	missing map[slot]state.ProcessType // slots that need a container; inspect leaves those for which none is found
	booting map[string]bool            // types of which a container is there that does not do its work yet
	again   time.Duration              // when to look again
}

// inspect removes what is too much, what has ended, and what has crashed too often. One that cannot be removed keeps its slot, and nothing else.
func (r *repair) inspect(ctx context.Context, instances []runner.Instance) error {
	var superfluous []runner.Instance
	var left error
	for _, i := range instances {
		if !inFormation(i.Type) {
			continue
		}
		_, wanted := r.missing[slotOf(i)]
		row, tooMany := r.crashes.see(i, time.Now())
		var err error
		switch {
		case !wanted:
			superfluous = append(superfluous, i)
		case tooMany:
			err = r.giveUp(ctx, i)
		case i.Phase == runner.Exited:
			r.booting[i.Type] = true
			err = r.replace(ctx, i, row)
		default:
			delete(r.missing, slotOf(i))
			r.booting[i.Type] = r.booting[i.Type] || !r.works(i)
		}
		if err != nil {
			delete(r.missing, slotOf(i))
			left = errors.Join(left, err)
		}
		if isUnavailable(err) {
			return left
		}
	}
	return errors.Join(left, r.removeSuperfluous(ctx, superfluous))
}

// removeSuperfluous leaves those of a type that lacks a container, until that is at work: a restart that was cut short may have left nothing
// else.
func (r *repair) removeSuperfluous(ctx context.Context, superfluous []runner.Instance) error {
	for _, i := range superfluous {
		if r.booting[i.Type] || r.lacks(i.Group) {
			r.again = min(r.again, lookSoon)
			continue
		}
		r.Log.Info("superfluous container removed", "app", r.app.Name, "container", i.Name())
		if err := r.remove(ctx, r.app.Name, i); err != nil {
			return err
		}
	}
	return nil
}

// lacks tells whether a container of a group is missing, given up or not.
func (r *repair) lacks(g runner.Group) bool {
	for s := range r.missing {
		if s.Group == g {
			return true
		}
	}
	return false
}

// works tells whether a container does what it is there for, as far as a deployment would wait for it.
func (r *repair) works(i runner.Instance) bool {
	if i.Type == web {
		return r.routes.accepted(i)
	}
	return i.Phase == runner.Running && time.Since(i.Started) >= r.Limits.Grace
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

// fill starts what is missing and not given up; one that does not start does not keep the others.
func (r *repair) fill(ctx context.Context) (failed error) {
	for _, s := range r.crashes.given(r.app.Name, strconv.FormatInt(r.app.Live, 10)) {
		delete(r.missing, s)
	}
	for s, p := range r.missing {
		err := r.startOne(ctx, r.app, r.release, p, s.number)
		if isUnavailable(err) {
			return errors.Join(failed, err)
		}
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		r.Log.Info("missing container started", "app", r.app.Name, "container", s.name())
	}
	return failed
}
