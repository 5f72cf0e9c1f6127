package apps

import (
	"context"
	"errors"
	"fmt"

	"boathook/receive/state"
)

// level is how much somebody may do with an app; each includes those before it.
type level int

const (
	none    level = iota
	limited       // sees the app, its processes, deployments and logs
	member        // deploys, scales, reads and sets variables
	owner         // collaborators, destruction
)

// Roles of a collaborator, as stored.
const (
	Collaborator        = "collaborator"
	LimitedCollaborator = "limited"
)

// MayDeploy tells whether the caller may push to the app.
func (s *Service) MayDeploy(ctx context.Context, c Caller, app string) error {
	_, err := s.app(ctx, c, app, "deploy", member)
	return err
}

// MayDestroy tells whether the caller may destroy the app, before a confirmation is asked for.
func (s *Service) MayDestroy(ctx context.Context, c Caller, app string) error {
	_, err := s.app(ctx, c, app, "destroy", owner)
	return err
}

// app returns the app if the caller has the level that action needs.
func (s *Service) app(ctx context.Context, c Caller, name, action string, need level) (state.App, error) {
	app, err := s.cfg.Store.App(ctx, name)
	if errors.Is(err, state.ErrNotFound) {
		return app, s.audit(ctx, c, name, action, ErrNoApp)
	}
	if err != nil {
		return app, err
	}
	has, err := s.level(ctx, c, app)
	switch {
	case err != nil:
		return state.App{}, err
	case has == none:
		return state.App{}, s.audit(ctx, c, name, action, ErrNoApp)
	case has < need:
		return state.App{}, s.audit(ctx, c, name, action, fmt.Errorf("%w with %s: ask its owner %s", ErrDenied, name, app.Owner))
	}
	return app, nil
}

func (s *Service) level(ctx context.Context, c Caller, app state.App) (level, error) {
	if c.Operator || c.Admin || c.User != "" && c.User == app.Owner {
		return owner, nil
	}
	all, err := s.cfg.Store.Collaborators(ctx, app.Name)
	for _, other := range all {
		if other.User == c.User && other.Role == Collaborator {
			return member, err
		}
		if other.User == c.User && other.Role == LimitedCollaborator {
			return limited, err
		}
	}
	return none, err
}

// manages refuses who may not manage users.
func (s *Service) manages(ctx context.Context, c Caller, action string) error {
	if c.Operator || c.Admin {
		return nil
	}
	return s.audit(ctx, c, "", action, fmt.Errorf("%w: only an administrator manages users", ErrDenied))
}

// person is whose things the caller means: his own, or as administrator another's.
func (s *Service) person(ctx context.Context, c Caller, user, action string) (string, error) {
	switch {
	case user == "" && c.Operator:
		return s.onlyUser(ctx)
	case c.User != "" && !c.Operator && (user == "" || user == c.User):
		return c.User, nil
	}
	if err := s.manages(ctx, c, action); err != nil {
		return "", err
	}
	_, err := s.cfg.Store.User(ctx, user)
	if errors.Is(err, state.ErrNotFound) {
		return "", fmt.Errorf("there is no user %q: 'users' lists them", user)
	}
	return user, err
}

func (s *Service) onlyUser(ctx context.Context) (string, error) {
	users, err := s.cfg.Store.Users(ctx)
	if err != nil {
		return "", err
	}
	if len(users) != 1 {
		return "", fmt.Errorf("there are %d users: name one with --owner (apps) or --user (keys), or add one with 'users-add NAME'", len(users))
	}
	return users[0].Name, nil
}
