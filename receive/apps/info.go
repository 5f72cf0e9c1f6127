package apps

import (
	"context"
	"errors"

	"boathook/receive/state"
)

// Info is what there is to know of an app. Release is zero before the first success.
type Info struct {
	App
	URL     string // under the platform's host
	Routing state.Routing
	Release state.Release
}

// Info returns it for whoever may see the app.
func (s *Service) Info(ctx context.Context, c Caller, name string) (info Info, err error) {
	app, err := s.look(ctx, c, name, "apps-info", limited)
	if err != nil {
		return info, err
	}
	statuses, err := s.cfg.Runtime.Statuses(ctx, []state.App{app})
	if err != nil {
		return info, err
	}
	info = Info{App: App{app, statuses[name]}, URL: s.cfg.Runtime.URL(name)}
	if info.Routing, err = s.cfg.Store.Routing(ctx, name); err != nil {
		return info, err
	}
	info.Release, err = s.cfg.Store.Release(ctx, app.Live)
	if errors.Is(err, state.ErrNotFound) {
		err = nil
	}
	return info, err
}
