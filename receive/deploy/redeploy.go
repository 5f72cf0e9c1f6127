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
func (d *Deployer) Redeploy(ctx context.Context, r apps.Redeployment) (id int64, err error) {
	if r.HookOnly {
		return 0, d.hookOnly(ctx, r)
	}
	release, err := d.Store.Release(ctx, r.From)
	if errors.Is(err, state.ErrNotFound) {
		return 0, fmt.Errorf("the image of deployment %d is not kept any more (setting releases): push its commit again", r.From)
	}
	if err != nil {
		return 0, err
	}
	return d.carry(ctx, Request{App: r.App, Pusher: r.User, Commit: release.Commit, From: r.From, Options: Options{NoHook: r.NoHook}, Out: r.Out,
		Ready: func(ctx context.Context) error { return d.stillChosen(ctx, r) }})
}

// stillChosen refuses a release that was chosen by what was live, when that is another one by now: it would undo what has gone live meanwhile.
func (d *Deployer) stillChosen(ctx context.Context, r apps.Redeployment) error {
	app, err := d.Store.App(ctx, r.App)
	if err != nil || r.Live == 0 || r.Live == app.Live {
		return err
	}
	return &Failure{Status: state.Aborted, Text: "Another version has gone live while this one waited",
		Advice: fmt.Sprintf("'deployments %s' lists what there is: ask again, with the ID of the one that is to go live.", r.App)}
}
