package deploy

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"boathook/receive/state"
	"boathook/router"
	"boathook/runner"
)

// switchTime bounds the switch, which no longer listens to the pusher.
const switchTime = time.Minute

// switchOver makes the new version the one that serves. The order makes every moment recoverable: first the objects and
// the ref are durable, then one transaction records the release as live (from here on Recover serves it), then the
// router's table is swapped, which cannot fail.
func (r *deployment) switchOver(ctx context.Context) error {
	give, err := r.claims.take(ctx, r.app.Name, "switch")
	if err != nil {
		return r.because(ctx, err)
	}
	defer give()
	// Until here a container that ends, a pusher who goes and a colleague who cancels end the deployment: the app may have been claimed for a while.
	if err := r.attempts.settle(ctx, r.record.ID); err != nil {
		return r.because(ctx, err)
	}
	defer r.phase("switch")()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), switchTime)
	defer cancel()

	release := runner.Selector{App: r.app.Name, Release: r.id}
	instances, err := r.Engine.List(ctx, release)
	if err != nil {
		return fmt.Errorf("list the new containers: %w", err)
	}
	if err := r.publish(ctx); err != nil {
		return fmt.Errorf("publish the push: %w", err)
	}
	old := r.app.Live
	retired := r.inHand.take(strconv.FormatInt(old, 10))
	if err := r.Store.GoLive(ctx, r.record.ID, r.formation); err != nil {
		r.unpublish(ctx)
		retired()
		return fmt.Errorf("record the switch: %w", err)
	}
	r.reconciler.crashes.forget(r.app.Name, r.id)
	drain := r.routes.live(r.app.Name, r.id, instances)
	r.swapped(ctx, drain)

	if err := r.keep(ctx, r.app.Name, r.id); err != nil {
		r.Log.Error("restart policy not set", "deployment", r.id, "err", err)
	}
	r.reconciler.look(r.app.Name, time.Now().Add(lookEvery))
	r.console.Platform("<-- " + r.routes.url(r.app.Name) + " -->")
	r.background.Go(func() {
		defer retired()
		r.retire(old, drain)
	})
	return nil
}

// swapTime is how long a router elsewhere may take to follow before it is not waited for any more.
const swapTime = 10 * time.Second

// swapped waits until the old version gets no more requests.
func (d *Deployer) swapped(ctx context.Context, drain *router.Drain) {
	ctx, cancel := context.WithTimeout(ctx, swapTime)
	defer cancel()
	if err := drain.Swapped(ctx); err != nil {
		d.Log.Error("switched without a router", "err", err)
	}
}

// publish makes the push durable, if there is one.
func (r *deployment) publish(ctx context.Context) error {
	if r.req.From != 0 {
		return nil
	}
	return r.req.Publish(ctx)
}

func (r *deployment) unpublish(ctx context.Context) {
	if r.req.From != 0 {
		return
	}
	if err := r.req.Revert(ctx); err != nil {
		r.Log.Error("ref not put back", "app", r.app.Name, "err", err)
	}
}

// retire ends the old version once its requests are answered, and removes images that no rollback needs. The pusher does
// not wait for it.
func (r *deployment) retire(old int64, drain *router.Drain) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.stop), r.Limits.Drain)
	defer cancel()
	if err := drain.Wait(ctx); err != nil {
		r.Log.Info("requests cut off", "app", r.app.Name, "deployment", r.id, "err", err)
	}
	drain.Close()
	ctx, cancel = context.WithTimeout(context.WithoutCancel(r.stop), r.Limits.Stop+cleanupTime)
	defer cancel()
	if old != 0 {
		if err := r.removeRelease(ctx, r.app.Name, strconv.FormatInt(old, 10)); err != nil {
			r.Log.Error("old containers not removed", "app", r.app.Name, "err", err)
		}
	}
	r.prune(ctx, r.app.Name)
}

// prune removes the images beyond the last Limits.Releases, never the live one, nor one in which somebody works, and with an image the releases
// that are of it. One that was deployed several times is one.
func (d *Deployer) prune(ctx context.Context, app string) {
	live, err := d.Store.App(ctx, app)
	if err != nil {
		d.Log.Error("old images not pruned", "app", app, "err", err)
		return
	}
	releases, err := d.Store.Releases(ctx, app)
	if err != nil {
		d.Log.Error("old images not pruned", "app", app, "err", err)
		return
	}
	occupied, err := d.occupied(ctx, app)
	if err != nil {
		d.Log.Error("old images not pruned", "app", app, "err", err)
		return
	}
	kept := map[string]bool{}
	for _, release := range releases {
		if release.Deployment > live.Live {
			continue // a deployment under way
		}
		if len(kept) < d.Limits.Releases || release.Deployment == live.Live {
			kept[release.Image] = true
		}
		if !kept[release.Image] && !occupied[release.Deployment] {
			d.discard(ctx, release)
		}
	}
}

// discard removes a release's record, and its image unless another release has the same one.
func (d *Deployer) discard(ctx context.Context, release state.Release) {
	if err := d.removeImage(ctx, release); err != nil {
		d.Log.Error("image not removed", "app", release.App, "deployment", release.Deployment, "err", err)
		return
	}
	if err := d.Store.DeleteRelease(ctx, release.Deployment); err != nil && !errors.Is(err, state.ErrNotFound) {
		d.Log.Error("release not removed", "app", release.App, "deployment", release.Deployment, "err", err)
	}
}

func (d *Deployer) removeImage(ctx context.Context, release state.Release) error {
	all, err := d.Store.Releases(ctx, release.App)
	if err != nil {
		return err
	}
	for _, other := range all {
		if other.Image == release.Image && other.Deployment != release.Deployment {
			return nil
		}
	}
	return again(ctx, answerTime, func(ctx context.Context) error { return d.Builder.Remove(ctx, release.Image) })
}
