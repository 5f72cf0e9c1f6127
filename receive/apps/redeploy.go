package apps

import (
	"context"
	"fmt"
	"io"

	"boathook/receive/state"
)

// Redeployment is a release that goes live once more.
type Redeployment struct {
	App      string
	From     int64     // the deployment that made the release; 0 leaves the choice to the operation
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

// Redeploy deploys a release again without a build: that of r.From, or the live one.
func (s *Service) Redeploy(ctx context.Context, c Caller, r Redeployment) error {
	return s.redeploy(ctx, c, "redeploy", r, func(app state.App, all []state.Deployment) (int64, error) {
		if app.Live == 0 {
			return 0, fmt.Errorf("%s has no release yet: 'git push scalingo master' makes the first", app.Name)
		}
		return app.Live, nil
	})
}

// Rollback deploys an earlier release: that of r.From, or the one that was live before.
func (s *Service) Rollback(ctx context.Context, c Caller, r Redeployment) error {
	return s.redeploy(ctx, c, "rollback", r, func(app state.App, all []state.Deployment) (int64, error) {
		for _, d := range all {
			if d.Status == state.Success && d.ID < app.Live {
				return d.ID, nil
			}
		}
		return 0, fmt.Errorf("%s has no earlier release: 'deployments %s' lists what there was", app.Name, app.Name)
	})
}

// redeploy has r done. Without r.From choose picks a deployment from all, newest first.
func (s *Service) redeploy(ctx context.Context, c Caller, verb string, r Redeployment, choose func(state.App, []state.Deployment) (int64, error)) error {
	r.User = c.name()
	return s.change(ctx, c, r.App, r.action(verb), member, func(app state.App) error {
		all, err := s.cfg.Store.Deployments(ctx, r.App, 0)
		if err != nil {
			return err
		}
		if r.From == 0 {
			if r.From, err = choose(app, all); err != nil {
				return err
			}
		}
		if r.HookOnly && r.From != app.Live {
			return invalidf("the hook alone is run for the live release only, and %d is not: leave the ID out", r.From)
		}
		for _, d := range all {
			if d.ID == r.From && d.Status == state.Success {
				return s.cfg.Runtime.Redeploy(ctx, r)
			}
		}
		return invalidf("%s has no successful deployment %d: 'deployments %s' lists them", r.App, r.From, r.App)
	})
}
