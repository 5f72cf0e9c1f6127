package apps

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"boathook/receive/state"
)

// MaxPage bounds a page of an app, in bytes.
const MaxPage = 1 << 20

// SetMaintenance switches whether the router answers all requests to the app itself. Deployments go on as ever.
func (s *Service) SetMaintenance(ctx context.Context, c Caller, name string, on bool) error {
	return s.change(ctx, c, name, "maintenance "+switched(on), member, func(app state.App) error {
		return s.reroute(ctx, app.Name, s.cfg.Store.SetMaintenance(ctx, app.Name, on))
	})
}

// Page returns a page of the app as it was stored.
func (s *Service) Page(ctx context.Context, c Caller, name string, purpose state.Purpose) (string, error) {
	if _, err := s.look(ctx, c, name, string(purpose)+"-page", limited); err != nil {
		return "", err
	}
	html, err := s.cfg.Store.Page(ctx, name, purpose)
	if errors.Is(err, state.ErrNotFound) {
		return "", noPage(name, purpose)
	}
	return html, err
}

// SetPage gives the app a page, of HTML in UTF-8.
func (s *Service) SetPage(ctx context.Context, c Caller, name string, page state.Page) error {
	return s.change(ctx, c, name, string(page.Purpose)+"-page", member, func(app state.App) error {
		if err := checkPage(page.HTML); err != nil {
			return err
		}
		return s.reroute(ctx, app.Name, s.cfg.Store.SetPage(ctx, app.Name, page))
	})
}

// RemovePage takes a page from the app: the router's own words are back.
func (s *Service) RemovePage(ctx context.Context, c Caller, name string, purpose state.Purpose) error {
	return s.change(ctx, c, name, string(purpose)+"-page --remove", member, func(app state.App) error {
		err := s.cfg.Store.RemovePage(ctx, app.Name, purpose)
		if errors.Is(err, state.ErrNotFound) {
			return noPage(app.Name, purpose)
		}
		return s.reroute(ctx, app.Name, err)
	})
}

func noPage(app string, purpose state.Purpose) error {
	return invalidf("%s has no %s page of its own: '%s-page %s < page.html' gives it one", app, purpose, purpose, app)
}

func checkPage(html string) error {
	switch {
	case strings.TrimSpace(html) == "":
		return invalidf("the page is empty: give its HTML on standard input, like '< page.html', or take the page away with --remove")
	case len(html) > MaxPage:
		return invalidf("the page has %d bytes: at most %d are allowed, so let it refer to its pictures elsewhere", len(html), MaxPage)
	case !utf8.ValidString(html) || strings.ContainsRune(html, 0):
		return invalidf("the page is not text in UTF-8: 'iconv -t UTF-8' converts it")
	}
	return nil
}
