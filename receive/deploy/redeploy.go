package deploy

import (
	"context"
	"errors"
	"fmt"

	"boathook/receive/apps"
	"boathook/receive/state"
)

// Redeploy implements apps.Runtime: an earlier release goes through the whole story once more, but for the build, or only the hook
// of the live one is run. What it prints is what a push prints.
func (d *Deployer) Redeploy(ctx context.Context, r apps.Redeployment) error {
	if r.HookOnly {
		return d.hookOnly(ctx, r)
	}
	release, err := d.Store.Release(ctx, r.From)
	if errors.Is(err, state.ErrNotFound) {
		return fmt.Errorf("the image of deployment %d is not kept any more (setting releases): push its commit again", r.From)
	}
	if err != nil {
		return err
	}
	return d.Deploy(ctx, Request{App: r.App, Pusher: r.User, Commit: release.Commit, From: r.From, Options: Options{NoHook: r.NoHook}, Out: r.Out})
}
