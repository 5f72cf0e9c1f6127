package apps

import (
	"context"
	"errors"
	"net/url"

	"boathook/receive/state"
)

// Info is what there is to know of an app. Release is zero before the first success.
type Info struct {
	App
	URL     string // under the platform's host
	Routing state.Routing
	Release state.Release

	Certificate Certificate // of the name under the platform's host
}

// Deployed tells whether the app has a live release.
func (s *Service) Deployed(ctx context.Context, c Caller, name string) (bool, error) {
	app, err := s.look(ctx, c, name, "apps-info", limited)
	return app.Live != 0, err
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
	if s.cfg.Certificates != nil {
		at, err := url.Parse(info.URL)
		if err != nil {
			return info, err
		}
		info.Certificate = s.cfg.Certificates.Certificate(at.Hostname())
	}
	if info.Routing, err = s.cfg.Store.Routing(ctx, name); err != nil {
		return info, err
	}
	info.Release, err = s.cfg.Store.Release(ctx, app.Live)
	if errors.Is(err, state.ErrNotFound) {
		err = nil
	}
	return info, err
}
