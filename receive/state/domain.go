package state

import (
	"context"
	"database/sql"
	"time"
)

// Domain is a name under which an app is reached beside that which the platform gives it.
type Domain struct {
	Host  string // ASCII, lower case; "*.example.com" stands for any one label
	App   string
	Added time.Time
}

// Routing is what the router does for an app beyond its containers.
type Routing struct {
	Hosts      []string // of its domains, sorted
	Canonical  string   // the host to which the others redirect, "" none
	ForceHTTPS bool
	Sticky     bool
	RouterLogs bool // see App

	Maintenance                bool
	MaintenancePage, ErrorPage string // HTML, "" none
}

// Domains returns all domains by host, of one app, or with "" of all.
func (s *Store) Domains(ctx context.Context, app string) ([]Domain, error) {
	return query(ctx, s, func(r row) (d Domain, err error) {
		var added int64
		err = r.Scan(&d.Host, &d.App, &added)
		d.Added = at(added)
		return d, err
	}, "SELECT host, app, added FROM domains WHERE ? IN ('', app) ORDER BY host", app)
}

// AddDomain gives a host to an app. ErrExists if any app has it, ErrNotFound if there is no such app.
func (s *Store) AddDomain(ctx context.Context, app, host string) error {
	return s.exec(ctx, "domain "+host, "INSERT INTO domains (host, app, added) VALUES (?, ?, ?)", host, app, now())
}

// RemoveDomain takes a host from an app, which it is the canonical one of no more. ErrNotFound if it is not the app's.
func (s *Store) RemoveDomain(ctx context.Context, app, host string) error {
	return named("domain "+host, s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "DELETE FROM domains WHERE app = ? AND host = ?", app, host)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return orNotFound(err)
		}
		_, err = tx.ExecContext(ctx, "UPDATE apps SET canonical = '' WHERE name = ? AND canonical = ?", app, host)
		return err
	}))
}

func orNotFound(err error) error {
	if err == nil {
		return ErrNotFound
	}
	return err
}

// Routing returns what the router is to do for an app.
func (s *Store) Routing(ctx context.Context, app string) (r Routing, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT canonical, force_https, sticky, router_logs, maintenance,
		coalesce((SELECT html FROM pages WHERE app = name AND purpose = 'maintenance'), ''),
		coalesce((SELECT html FROM pages WHERE app = name AND purpose = 'error'), '')
		FROM apps WHERE name = ?`, app).Scan(&r.Canonical, &r.ForceHTTPS, &r.Sticky, &r.RouterLogs, &r.Maintenance, &r.MaintenancePage, &r.ErrorPage)
	if err != nil {
		return r, named("app "+app, err)
	}
	domains, err := s.Domains(ctx, app)
	for _, d := range domains {
		r.Hosts = append(r.Hosts, d.Host)
	}
	return r, err
}

// SetCanonical makes a host the one to which an app's others redirect; "" ends that.
func (s *Store) SetCanonical(ctx context.Context, app, host string) error {
	return s.execOne(ctx, "app "+app, "UPDATE apps SET canonical = ? WHERE name = ?", host, app)
}

// SetForceHTTPS switches the redirection of plain HTTP.
func (s *Store) SetForceHTTPS(ctx context.Context, app string, on bool) error {
	return s.execOne(ctx, "app "+app, "UPDATE apps SET force_https = ? WHERE name = ?", on, app)
}

// SetSticky switches whether a visitor stays on one container.
func (s *Store) SetSticky(ctx context.Context, app string, on bool) error {
	return s.execOne(ctx, "app "+app, "UPDATE apps SET sticky = ? WHERE name = ?", on, app)
}
