package state

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"time"
)

// App is an application.
type App struct {
	ID      int64
	Name    string
	Owner   string
	Live    int64 // id of the deployment whose release serves, 0 none
	Created time.Time

	RouterLogs bool // the router's records are in the app's log
}

const appColumns = "id, name, owner, live, created, router_logs"

func scanApp(r row) (a App, err error) {
	var created int64
	err = r.Scan(&a.ID, &a.Name, &a.Owner, &a.Live, &created, &a.RouterLogs)
	a.Created = at(created)
	return a, err
}

// CreateApp stores a new app. ErrExists if the name is taken, ErrNotFound if there is no such owner.
func (s *Store) CreateApp(ctx context.Context, name, owner string) (App, error) {
	err := s.exec(ctx, "app "+name, "INSERT INTO apps (name, owner, created) VALUES (?, ?, ?)", name, owner, now())
	if err != nil {
		return App{}, err
	}
	return s.App(ctx, name)
}

// App returns one app.
func (s *Store) App(ctx context.Context, name string) (App, error) {
	a, err := scanApp(s.db.QueryRowContext(ctx, "SELECT "+appColumns+" FROM apps WHERE name = ?", name))
	return a, named("app "+name, err)
}

// Apps returns all apps by name.
func (s *Store) Apps(ctx context.Context) ([]App, error) {
	return query(ctx, s, scanApp, "SELECT "+appColumns+" FROM apps ORDER BY name")
}

// SetRouterLogs notes whether the router's records are wanted in the app's log.
func (s *Store) SetRouterLogs(ctx context.Context, name string, on bool) error {
	return s.execOne(ctx, "app "+name, "UPDATE apps SET router_logs = ? WHERE name = ?", on, name)
}

// DeleteApp forgets an app and everything about it.
func (s *Store) DeleteApp(ctx context.Context, name string) error {
	return s.execOne(ctx, "app "+name, "DELETE FROM apps WHERE name = ?", name)
}

// Variables returns the app's environment as it was set, aliases not resolved. One value that cannot be opened is an error for all.
func (s *Store) Variables(ctx context.Context, app string) (map[string]string, error) {
	type variable struct {
		id     int64
		name   string
		sealed []byte
	}
	all, err := query(ctx, s, func(r row) (v variable, err error) {
		err = r.Scan(&v.id, &v.name, &v.sealed)
		return v, err
	}, "SELECT a.id, v.name, v.value FROM variables v JOIN apps a ON a.name = v.app WHERE v.app = ?", app)
	vars := make(map[string]string, len(all))
	for _, v := range all {
		value, err := s.vault.open(v.id, v.name, v.sealed)
		if err != nil {
			return nil, fmt.Errorf("variable %s of %s: %w", v.name, app, err)
		}
		vars[v.name] = value
	}
	return vars, err
}

// SetVariables adds and changes variables, all or none.
func (s *Store) SetVariables(ctx context.Context, app string, vars map[string]string) error {
	return named("variables of "+app, s.write(ctx, func(tx *sql.Tx) error {
		var id int64
		if err := tx.QueryRowContext(ctx, "SELECT id FROM apps WHERE name = ?", app).Scan(&id); err != nil {
			return err
		}
		for name, value := range vars {
			_, err := tx.ExecContext(ctx, `INSERT INTO variables (app, name, value) VALUES (?, ?, ?)
				ON CONFLICT (app, name) DO UPDATE SET value = excluded.value`, app, name, s.vault.seal(id, name, value))
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// UnsetVariables removes variables; one that is not set is no error.
func (s *Store) UnsetVariables(ctx context.Context, app string, names ...string) error {
	args := []any{app}
	for _, name := range names {
		args = append(args, name)
	}
	return s.exec(ctx, "variables of "+app, "DELETE FROM variables WHERE app = ? AND name IN ("+placeholders(len(names))+")", args...)
}

// ProcessType is one line of a formation.
type ProcessType struct {
	Name    string
	Command string
	Amount  int    // containers
	Size    string // "M"
}

// Formation returns how many containers of which size the app runs, by type.
func (s *Store) Formation(ctx context.Context, app string) ([]ProcessType, error) {
	return query(ctx, s, func(r row) (p ProcessType, err error) {
		err = r.Scan(&p.Name, &p.Command, &p.Amount, &p.Size)
		return p, err
	}, "SELECT type, command, amount, size FROM formation WHERE app = ? ORDER BY type", app)
}

// SetFormation adds types to the formation and changes amounts and sizes of others, all or none; types that are not named stay as they
// are, and so does the command of a type that there is.
func (s *Store) SetFormation(ctx context.Context, app string, types []ProcessType) error {
	return named("formation of "+app, s.write(ctx, func(tx *sql.Tx) error {
		for _, p := range types {
			_, err := tx.ExecContext(ctx, `INSERT INTO formation (app, type, command, amount, size) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (app, type) DO UPDATE SET amount = excluded.amount, size = excluded.size`, app, p.Name, p.Command, p.Amount, p.Size)
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

func replaceFormation(ctx context.Context, tx *sql.Tx, app string, formation []ProcessType) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM formation WHERE app = ?", app); err != nil {
		return err
	}
	for _, p := range formation {
		_, err := tx.ExecContext(ctx, "INSERT INTO formation (app, type, command, amount, size) VALUES (?, ?, ?, ?, ?)",
			app, p.Name, p.Command, p.Amount, p.Size)
		if err != nil {
			return err
		}
	}
	return nil
}

// Collaborator is somebody other than the owner who may do something with an app.
type Collaborator struct {
	App, User string
	Role      string // "collaborator", "limited"
}

// Collaborators returns an app's collaborators by name.
func (s *Store) Collaborators(ctx context.Context, app string) ([]Collaborator, error) {
	return query(ctx, s, func(r row) (c Collaborator, err error) {
		err = r.Scan(&c.App, &c.User, &c.Role)
		return c, err
	}, "SELECT app, user, role FROM collaborators WHERE app = ? ORDER BY user", app)
}

// SetCollaborator adds a collaborator or changes the role. ErrNotFound if there is no such app or user.
func (s *Store) SetCollaborator(ctx context.Context, app, user, role string) error {
	return s.exec(ctx, "collaborator "+user, `INSERT INTO collaborators (app, user, role) VALUES (?, ?, ?)
		ON CONFLICT (app, user) DO UPDATE SET role = excluded.role`, app, user, role)
}

// RemoveCollaborator takes the role away, and with it the user's keys that were for this app only.
func (s *Store) RemoveCollaborator(ctx context.Context, app, user string) error {
	return named("collaborator "+user, s.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "DELETE FROM collaborators WHERE app = ? AND user = ?", app, user)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(err, ErrNotFound)
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM keys WHERE app = ? AND user = ?", app, user)
		return err
	}))
}
