package apps

import (
	"context"
	"fmt"
	"io"

	"boathook/receive/state"
)

// Redeployment is a release that goes live once more.
type Redeployment struct {
	App    string
	From   int64 // the deployment that made the release
	User   string
	NoHook bool
	Out    io.Writer // what a push would show
}

// Redeploy deploys a release again without a build: that of a deployment, or with id 0 the live one.
func (s *Service) Redeploy(ctx context.Context, c Caller, app string, id int64, noHook bool, out io.Writer) error {
	return s.redeploy(ctx, c, "redeploy", id, Redeployment{App: app, NoHook: noHook, Out: out}, func(app state.App, all []state.Deployment) (int64, error) {
		if app.Live == 0 {
			return 0, fmt.Errorf("%s has no release yet: 'git push scalingo master' makes the first", app.Name)
		}
		return app.Live, nil
	})
}

// Rollback deploys an earlier release: that of a deployment, or with id 0 the one that was live before.
func (s *Service) Rollback(ctx context.Context, c Caller, app string, id int64, noHook bool, out io.Writer) error {
	return s.redeploy(ctx, c, "rollback", id, Redeployment{App: app, NoHook: noHook, Out: out}, func(app state.App, all []state.Deployment) (int64, error) {
		for _, d := range all {
			if d.Status == state.Success && d.ID < app.Live {
				return d.ID, nil
			}
		}
		return 0, fmt.Errorf("%s has no earlier release: 'deployments %s' lists what there was", app.Name, app.Name)
	})
}

// redeploy finds the deployment with id, or the one that choose picks from all, newest first, for id 0.
func (s *Service) redeploy(ctx context.Context, c Caller, action string, id int64, r Redeployment, choose func(state.App, []state.Deployment) (int64, error)) error {
	r.User = c.User
	if c.Operator {
		r.User = "operator"
	}
	if id != 0 {
		action += fmt.Sprint(" ", id)
	}
	return s.change(ctx, c, r.App, action, member, func(app state.App) error {
		all, err := s.cfg.Store.Deployments(ctx, r.App, 0)
		if err != nil {
			return err
		}
		if id == 0 {
			if id, err = choose(app, all); err != nil {
				return err
			}
		}
		for _, d := range all {
			if d.ID == id && d.Status == state.Success {
				r.From = id
				return s.cfg.Runtime.Redeploy(ctx, r)
			}
		}
		return invalidf("%s has no successful deployment %d: 'deployments %s' lists them", r.App, id, r.App)
	})
}
