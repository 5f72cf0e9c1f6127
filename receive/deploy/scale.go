package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"boathook/receive/apps"
	"boathook/receive/state"
	"boathook/runner"
)

// Scale makes some types of the running formation what is wanted, see apps.Wish: new containers are started and waited for before the
// router knows them, superfluous ones leave the router before they are stopped. A type whose size changes is replaced as Restart does
// it. It takes its turn with deployments, and what it changes is what it finds then. One type comes after the other: when one fails, those
// before it are scaled. Before the first release the wish is kept.
func (d *Deployer) Scale(ctx context.Context, name string, want apps.Wish, waiting func(line string)) error {
	return d.onLive(ctx, name, "scaling", waiting, func(app state.App, release state.Release, formation []state.ProcessType) error {
		types, err := want(formation, release.Types)
		if err != nil {
			return err
		}
		if app.Live == 0 {
			return d.Store.SetFormation(ctx, name, types)
		}
		for n, p := range types {
			p.Command = release.Types[p.Name]
			was := p
			was.Size = sizeIn(formation, p.Name)
			r := rolling{Deployer: d, app: app, release: release, was: was, p: p}
			if err := r.scaleType(ctx); err != nil {
				return notDone(unscaled(types, n), err)
			}
		}
		return nil
	})
}

// Restart replaces the app's containers one by one, all of them or those of some types, see roll. It first starts those that are missing, as they were
// given up.
func (d *Deployer) Restart(ctx context.Context, name string, types []string, waiting func(line string)) error {
	return d.onLive(ctx, name, "restart", waiting, func(app state.App, release state.Release, formation []state.ProcessType) error {
		if app.Live == 0 {
			return fmt.Errorf("%s has nothing to restart yet: 'git push scalingo master' makes the first release", name)
		}
		for _, p := range formation {
			if len(types) > 0 && !slices.Contains(types, p.Name) {
				continue
			}
			p.Command = release.Types[p.Name]
			r := rolling{Deployer: d, app: app, release: release, was: p, p: p}
			if err := r.restart(ctx); err != nil {
				return notDone(p.Name+" is not restarted", err)
			}
		}
		return nil
	})
}

// unscaled says what has become of the types of a scaling of which the one at n has failed.
func unscaled(types []state.ProcessType, n int) string {
	var notes []string
	if n > 0 {
		notes = append(notes, "scaled: "+typeNames(types[:n]))
	}
	if n+1 < len(types) {
		notes = append(notes, "not tried: "+typeNames(types[n+1:]))
	}
	text := types[n].Name + " is not scaled"
	if len(notes) > 0 {
		text += " (" + strings.Join(notes, "; ") + ")"
	}
	return text
}

func typeNames(types []state.ProcessType) string {
	var names []string
	for _, p := range types {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

// onLive does something with an app's live release while nobody else does: it waits for its turn in the app's queue, and tells whom for. Slots that were given up are tried anew.
func (d *Deployer) onLive(ctx context.Context, name, purpose string, waiting func(line string), do func(state.App, state.Release, []state.ProcessType) error) error {
	app, err := d.Store.App(ctx, name)
	if err != nil {
		return err
	}
	leave, err := d.queue.enter(ctx, name, app.Owner, "the "+purpose+" of "+name, waiting)
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
		return &undone{what, failure}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// undone is a change of the running formation that the app did not live through.
type undone struct {
	what    string
	failure *Failure
}

func (u *undone) Error() string { return u.what + ". " + u.failure.summary() }

// Reason leaves the app's output out.
func (u *undone) Reason() string { return u.failure.Reason() }

// scaleType brings one process type to its amount and size, and records that. If it fails the type is what it was. Superfluous containers go when
// everything else is done: what is left of them if that is cut short, the reconciler removes.
func (r *rolling) scaleType(ctx context.Context) error {
	all, err := r.list(ctx)
	if err != nil {
		return err
	}
	staying, leaving := r.divide(all)
	grown, err := r.grow(ctx, staying)
	if err == nil && r.p.Size != r.was.Size {
		err = r.roll(ctx, all, staying)
	}
	if err == nil {
		err = r.Store.SetFormation(context.WithoutCancel(ctx), r.app.Name, []state.ProcessType{r.p}) // it is true now, whoever listens
	}
	if err != nil {
		return errors.Join(err, r.removeAll(ctx, grown))
	}
	if err := r.removeAll(ctx, leaving); err != nil {
		r.Log.Error("superfluous containers not removed", "app", r.app.Name, "err", err)
	}
	return nil
}

// grow starts the containers whose numbers are not used; if one of them fails, all are gone again.
func (r *rolling) grow(ctx context.Context, staying []runner.Instance) (grown []runner.Instance, err error) {
	for number := 1; number <= r.p.Amount; number++ {
		if slices.ContainsFunc(staying, func(i runner.Instance) bool { return i.Number == number }) {
			continue
		}
		i, err := r.start(ctx, r.p, number)
		if err != nil {
			return nil, errors.Join(err, r.removeAll(ctx, grown))
		}
		grown = append(grown, i)
	}
	return grown, nil
}
