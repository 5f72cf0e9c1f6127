package deploy

import (
	"context"
	"fmt"
	"strconv"

	"boathook/receive/apps"
	"boathook/receive/state"
)

// hookOnly runs the postdeploy command of the live release once more, and touches nothing else. It takes its turn with deployments
// but is none: no release goes live or fails to by it, so that no status would be true, and what it was is for the audit to tell.
func (d *Deployer) hookOnly(ctx context.Context, again apps.Redeployment) (err error) {
	r := &deployment{Deployer: d, console: newConsole(again.Out, func([]byte) {}, d.Limits.LogSize)}
	defer r.console.Close()
	if r.app, err = d.Store.App(ctx, again.App); err != nil {
		return err
	}
	leave, err := d.queue.enter(ctx, again.App, r.app.Owner, "the postdeploy hook of "+again.App, r.console.Platform)
	if err != nil {
		return err
	}
	defer leave()
	if err := r.takeLive(ctx); err != nil {
		return err
	}
	if err := r.takeVariables(ctx); err != nil {
		return err
	}
	defer d.inHand.take(r.id)() // or its container would be a stray
	return r.runHook(ctx, postdeployHook)
}

// takeLive makes r one of the release that is live now.
func (r *deployment) takeLive(ctx context.Context) error {
	app, live, err := r.liveRelease(ctx, r.app.Name)
	if err != nil {
		return err
	}
	if live.Types[postdeployHook] == "" {
		return fmt.Errorf("%s has no postdeploy hook to run: its Procfile declares none", app.Name)
	}
	r.app, r.id, r.image = app, strconv.FormatInt(app.Live, 10), imageOf(live)
	r.record = state.Deployment{ID: app.Live}
	r.req.Commit = live.Commit
	return nil
}
