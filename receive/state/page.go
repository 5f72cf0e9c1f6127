package state

import "context"

// Purpose is what a page of an app is for.
type Purpose string

const (
	ErrorPage       Purpose = "error"       // the router answers 502, 503 or 504 in the place of the app
	MaintenancePage Purpose = "maintenance" // the app is in maintenance
)

// Page is HTML that the router shows in the place of an app.
type Page struct {
	Purpose Purpose
	HTML    string // UTF-8
}

// Page returns a page of an app; ErrNotFound if it has none for that.
func (s *Store) Page(ctx context.Context, app string, purpose Purpose) (html string, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT html FROM pages WHERE app = ? AND purpose = ?", app, purpose).Scan(&html)
	return html, named(string(purpose)+" page of "+app, err)
}

// SetPage stores a page of an app, in the place of the one for the same. ErrNotFound if there is no such app.
func (s *Store) SetPage(ctx context.Context, app string, page Page) error {
	return s.exec(ctx, string(page.Purpose)+" page of "+app,
		"INSERT INTO pages (app, purpose, html) VALUES (?, ?, ?) ON CONFLICT (app, purpose) DO UPDATE SET html = excluded.html", app, page.Purpose, page.HTML)
}

// RemovePage forgets a page of an app; ErrNotFound if it has none for that.
func (s *Store) RemovePage(ctx context.Context, app string, purpose Purpose) error {
	return s.execOne(ctx, string(purpose)+" page of "+app, "DELETE FROM pages WHERE app = ? AND purpose = ?", app, purpose)
}

// SetMaintenance switches whether the router lets no request through to an app.
func (s *Store) SetMaintenance(ctx context.Context, app string, on bool) error {
	return s.execOne(ctx, "app "+app, "UPDATE apps SET maintenance = ? WHERE name = ?", on, app)
}
