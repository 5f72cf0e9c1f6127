package apps

import (
	"context"
	"fmt"
	"io"

	"boathook/receive/state"
)

// FollowDeployment writes what the pusher sees of a deployment, from its beginning, and returns it when it has ended: with an error unless that
// is in success. id 0 is the one under way.
func (s *Service) FollowDeployment(ctx context.Context, c Caller, app string, id int64, w io.Writer) (ended state.Deployment, err error) {
	if _, err := s.look(ctx, c.bound(app), app, "deployment-follow", limited); err != nil {
		return state.Deployment{}, err
	}
	d, err := s.attempt(ctx, app, id)
	if err != nil {
		return state.Deployment{}, err
	}
	if err := s.cfg.Runtime.FollowDeployment(ctx, d.ID, w); err != nil {
		return state.Deployment{}, err
	}
	if ended, err = s.cfg.Store.Deployment(ctx, d.ID); err != nil {
		return state.Deployment{}, err
	}
	if ended.Status != state.Success {
		return ended, fmt.Errorf("deployment %d of %s has ended as %s", ended.ID, app, ended.Status)
	}
	return ended, nil
}

// attempt is a deployment of the app, without id the oldest that has not ended.
func (s *Service) attempt(ctx context.Context, app string, id int64) (state.Deployment, error) {
	if id != 0 {
		return s.deployment(ctx, app, id)
	}
	all, err := s.cfg.Store.Unfinished(ctx)
	if err != nil {
		return state.Deployment{}, err
	}
	for _, d := range all {
		if d.App == app {
			return d, nil
		}
	}
	return state.Deployment{}, fmt.Errorf("no deployment of %s is under way: 'deployment-logs %s' shows the last one", app, app)
}

// CancelDeployment aborts a deployment before its switch, and returns when what it made is gone. id 0 is the one under way.
func (s *Service) CancelDeployment(ctx context.Context, c Caller, name string, id int64) error {
	action := "deployment-cancel"
	if id != 0 {
		action += fmt.Sprint(" ", id)
	}
	return s.change(ctx, c, name, action, member, func(app state.App) error {
		return s.cfg.Runtime.CancelDeployment(ctx, app.Name, id, c.name())
	})
}

// DeleteCache empties what builds of the app have left for the next one.
func (s *Service) DeleteCache(ctx context.Context, c Caller, name string) error {
	return s.change(ctx, c, name, "deployment-delete-cache", member, func(app state.App) error {
		return s.cfg.Runtime.DeleteCache(ctx, app.Name)
	})
}
