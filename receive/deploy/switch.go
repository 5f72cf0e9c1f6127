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
	// Until here a container that ends, and a pusher who goes, end the deployment: the app may have been claimed for a while.
	if err := ctx.Err(); err != nil {
		return r.because(ctx, err)
	}
	if err := r.story.begin(ctx); err != nil {
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

	if err := r.Engine.Keep(ctx, release); err != nil {
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
		selector := runner.Selector{App: r.app.Name, Release: strconv.FormatInt(old, 10)}
		if err := r.Engine.Remove(ctx, selector, r.Limits.Stop); err != nil {
			r.Log.Error("old containers not removed", "app", r.app.Name, "err", err)
		}
	}
	r.prune(ctx, r.app.Name)
}

// prune removes the images of releases beyond Limits.Releases, never the live one's.
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
	kept := 0
	for _, release := range releases {
		if release.Deployment > live.Live {
			continue // a deployment under way
		}
		if kept++; kept <= d.Limits.Releases || release.Deployment == live.Live {
			continue
		}
		d.discard(ctx, release)
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
	return d.Builder.Remove(ctx, release.Image)
}
