package apps

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"boathook/receive/state"
)

var appName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// CheckName tells what is wrong with the name of an app.
func CheckName(name string) error {
	if len(name) < 6 || len(name) > 48 || !appName.MatchString(name) {
		return invalidf("%q cannot name an app: use 6 to 48 lower-case letters, digits and single hyphens, none at an end", name)
	}
	return nil
}

// Create makes an app of owner's; "" is the caller, or for the operator the only user.
func (s *Service) Create(ctx context.Context, c Caller, name, owner string) (state.App, error) {
	app, err := s.create(ctx, c, name, owner)
	action := "create"
	if err == nil && app.Owner != c.User {
		action += " for " + app.Owner
	}
	return app, s.record(ctx, c, name, action, err)
}

func (s *Service) create(ctx context.Context, c Caller, name, owner string) (state.App, error) {
	if err := CheckName(name); err != nil {
		return state.App{}, err
	}
	owner, err := s.person(ctx, c, owner)
	if err != nil {
		return state.App{}, err
	}
	done, err := s.beginNaming(ctx)
	if err != nil {
		return state.App{}, err
	}
	defer done()
	app, err := s.cfg.Store.CreateApp(ctx, name, owner)
	if errors.Is(err, state.ErrExists) {
		return app, nameTaken(name)
	}
	if err != nil {
		return app, err
	}
	if err := s.cfg.Repositories.Create(ctx, name); err != nil {
		err = errors.Join(err, s.cfg.Store.DeleteApp(context.WithoutCancel(ctx), name))
		return state.App{}, fmt.Errorf("repository: %w", err)
	}
	return app, nil
}

// App is an app as it fares; Status is the platform's word, see Runtime.
type App struct {
	state.App
	Status string
}

// List returns the apps that the caller may see.
func (s *Service) List(ctx context.Context, c Caller) ([]App, error) {
	if err := unbound(c); err != nil {
		return nil, s.record(ctx, c, "", "apps", err)
	}
	seen, err := s.seen(ctx, c)
	if err != nil {
		return nil, err
	}
	statuses, err := s.cfg.Runtime.Statuses(ctx, seen)
	if err != nil {
		return nil, err
	}
	var list []App
	for _, app := range seen {
		list = append(list, App{app, statuses[app.Name]})
	}
	return list, nil
}

func (s *Service) seen(ctx context.Context, c Caller) ([]state.App, error) {
	all, err := s.cfg.Store.Apps(ctx)
	var seen []state.App
	for _, app := range all {
		has, err := s.level(ctx, c, app)
		if err != nil {
			return nil, err
		}
		if has > none {
			seen = append(seen, app)
		}
	}
	return seen, err
}

// Destroy removes an app with all it has. confirm is its name once more. waiting is told, in lines, whom that waits for.
func (s *Service) Destroy(ctx context.Context, c Caller, name, confirm string, waiting func(line string)) error {
	return s.change(ctx, c, name, "destroy", owner, func(state.App) error {
		if confirm != name {
			return fmt.Errorf("%s was not destroyed: confirm with its name, or use --force", name)
		}
		// The record goes last, so that what was interrupted can be asked for again.
		if err := s.cfg.Runtime.Destroy(ctx, name, waiting); err != nil {
			return err
		}
		if err := s.cfg.Repositories.Remove(ctx, name); err != nil {
			return err
		}
		c.visit.forget(name)
		return s.endAccess(ctx, s.cfg.Store.DeleteApp(ctx, name))
	})
}
