package apps

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"boathook/receive/state"
)

// Redeployment is a release that goes live once more.
type Redeployment struct {
	App      string
	From     int64     // the deployment that made the release; 0 leaves the choice to the operation
	Live     int64     // the deployment that was live when the operation chose; 0 if it did not. Another one makes the choice void
	NoHook   bool      // leaves the hooks out
	HookOnly bool      // runs the postdeploy hook of the live release and nothing else
	Out      io.Writer // what a push would show
	User     string    // who asks, filled in by the operation
}

// action is the redeployment as the audit shows it: "redeploy 7 --no-hook".
func (r Redeployment) action(verb string) string {
	if r.From != 0 {
		verb += fmt.Sprint(" ", r.From)
	}
	if r.NoHook {
		verb += " --no-hook"
	}
	if r.HookOnly {
		verb += " --hook-only"
	}
	return verb
}

// Redeploy deploys a release again without a build: that of r.From, or the live one. It returns the deployment as it has ended, in success or
// not; there is none if it was refused, or was to run a hook alone.
func (s *Service) Redeploy(ctx context.Context, c Caller, r Redeployment) (state.Deployment, error) {
	return s.redeploy(ctx, c, "redeploy", r, func(app state.App, all []state.Deployment) (int64, error) {
		if app.Live == 0 {
			return 0, fmt.Errorf("%s has no release yet: 'git push scalingo master' makes the first", app.Name)
		}
		return app.Live, nil
	})
}

// Rollback deploys an earlier release: that of r.From, or the last one that was live with another image than the live one's. It returns what
// Redeploy does.
func (s *Service) Rollback(ctx context.Context, c Caller, r Redeployment) (state.Deployment, error) {
	return s.redeploy(ctx, c, "rollback", r, func(app state.App, all []state.Deployment) (int64, error) {
		image := "" // the live one's
		for _, d := range all {
			switch {
			case d.ID == app.Live:
				image = d.Image
			case d.ID < app.Live && d.Status == state.Success && d.Image != image:
				return d.ID, nil
			}
		}
		return 0, fmt.Errorf("%s has no earlier release: 'deployments %s' lists what there was", app.Name, app.Name)
	})
}

// redeploy has r done. Without r.From choose picks a deployment from all, newest first.
func (s *Service) redeploy(ctx context.Context, c Caller, verb string, r Redeployment, choose func(state.App, []state.Deployment) (int64, error)) (ended state.Deployment, err error) {
	r.User = c.name()
	err = s.change(ctx, c, r.App, r.action(verb), member, func(app state.App) error {
		all, err := s.cfg.Store.Deployments(ctx, r.App, 0)
		if err != nil {
			return err
		}
		if r.From == 0 {
			if r.From, err = choose(app, all); err != nil {
				return err
			}
			r.Live = app.Live
		}
		if r.HookOnly && r.From != app.Live {
			return invalidf("the hook alone is run for the live release only, and %d is not: leave the ID out", r.From)
		}
		for _, d := range all {
			if d.ID == r.From && d.Status == state.Success {
				id, err := s.cfg.Runtime.Redeploy(ctx, r)
				if id != 0 {
					var unread error
					ended, unread = s.cfg.Store.Deployment(context.WithoutCancel(ctx), id)
					err = cmp.Or(err, unread)
				}
				return err
			}
		}
		return invalidf("%s has no successful deployment %d: 'deployments %s' lists them", r.App, r.From, r.App)
	})
	return ended, err
}
