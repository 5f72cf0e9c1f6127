package apps

import (
	"context"
	"fmt"
	"io"

	"boathook/receive/state"
)

// FollowDeployment writes what the pusher of the deployment under way sees, from its beginning to its end. An error if it fails, or if
// there is none.
func (s *Service) FollowDeployment(ctx context.Context, c Caller, app string, w io.Writer) error {
	if _, err := s.look(ctx, c, app, "deployment-follow", limited); err != nil {
		return err
	}
	return s.cfg.Runtime.Follow(ctx, app, w)
}

// CancelDeployment aborts a deployment that has not begun to go live, and returns its number: the one with id, or the one under way for 0.
func (s *Service) CancelDeployment(ctx context.Context, c Caller, app string, id int64) (cancelled int64, err error) {
	action, by := "deployment-cancel", c.User
	if id != 0 {
		action += fmt.Sprint(" ", id)
	}
	if c.Operator {
		by = "operator"
	}
	err = s.change(ctx, c, app, action, member, func(app state.App) (err error) {
		cancelled, err = s.cfg.Runtime.Cancel(ctx, app.Name, id, by)
		return err
	})
	return cancelled, err
}

// DeleteCache empties the app's build cache.
func (s *Service) DeleteCache(ctx context.Context, c Caller, app string) error {
	return s.change(ctx, c, app, "deployment-delete-cache", member, func(app state.App) error {
		return s.cfg.Runtime.DeleteCache(ctx, app.Name)
	})
}
