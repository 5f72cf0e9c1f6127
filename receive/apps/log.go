package apps

import (
	"context"
	"io"

	"boathook/receive/state"
)

// Logs writes the output of the app's containers to w.
func (s *Service) Logs(ctx context.Context, c Caller, app string, opt LogOptions, w io.Writer) error {
	if _, err := s.look(ctx, c, app, "logs", limited); err != nil {
		return err
	}
	return s.cfg.Runtime.Logs(ctx, app, opt, w)
}

// SetRouterLogs says whether the requests that the router answers for the app are in its log.
func (s *Service) SetRouterLogs(ctx context.Context, c Caller, app string, on bool) error {
	return s.change(ctx, c, app, "router-logs "+switched(on), member, func(app state.App) error {
		return s.cfg.Runtime.SetRouterLogs(ctx, app.Name, on)
	})
}

// RouterLogs tells what SetRouterLogs has said.
func (s *Service) RouterLogs(ctx context.Context, c Caller, app string) (bool, error) {
	a, err := s.look(ctx, c, app, "router-logs", limited)
	return a.RouterLogs, err
}
