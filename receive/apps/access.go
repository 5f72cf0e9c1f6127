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
	limited       // sees the app, its processes, deployments and logs, and restarts it
	member        // deploys, scales, reads and sets variables
	owner         // collaborators, timeline, renaming, destruction
)

// Roles of a collaborator, as stored.
const (
	Collaborator        = "collaborator"
	LimitedCollaborator = "limited"
)

// Owner is the role of the app's owner, which is stored with the app.
const Owner = "owner"

// MayDeploy tells whether the caller may push to the app.
func (s *Service) MayDeploy(ctx context.Context, c Caller, app string) error {
	_, err := s.look(ctx, c.bound(app), app, "push", member)
	return err
}

// MayClone tells whether the caller may read the app's repository.
func (s *Service) MayClone(ctx context.Context, c Caller, app string) error {
	_, err := s.look(ctx, c.bound(app), app, "clone", member)
	return err
}

// MayDestroy tells whether the caller may destroy the app, before a confirmation is asked for.
func (s *Service) MayDestroy(ctx context.Context, c Caller, app string) error {
	_, err := s.look(ctx, c, app, "destroy", owner)
	return err
}

// look is for operations that change nothing: only a refusal is recorded.
func (s *Service) look(ctx context.Context, c Caller, name, action string, need level) (state.App, error) {
	app, err := s.allowed(ctx, c, name, need)
	if err != nil {
		return state.App{}, s.record(ctx, c, name, action, err)
	}
	return app, nil
}

// change carries out do on the app if the caller has the level, and records what came of it.
func (s *Service) change(ctx context.Context, c Caller, name, action string, need level, do func(state.App) error) error {
	app, err := s.allowed(ctx, c, name, need)
	if err == nil {
		err = do(app)
	}
	return s.record(ctx, c, name, action, err)
}

// allowed is permitted for an operation, whose visit ends when it is permitted no more.
func (s *Service) allowed(ctx context.Context, c Caller, name string, need level) (state.App, error) {
	drop := c.visit.note(grant{c, name, need})
	app, err := s.permitted(ctx, c, name, need)
	if err != nil {
		drop()
	}
	return app, err
}

// permitted returns the app if the caller has the level.
func (s *Service) permitted(ctx context.Context, c Caller, name string, need level) (state.App, error) {
	app, err := s.cfg.Store.App(ctx, name)
	if errors.Is(err, state.ErrNotFound) {
		return app, ErrNoApp
	}
	if err != nil {
		return app, err
	}
	has, err := s.level(ctx, c, app)
	switch {
	case err != nil:
		return state.App{}, err
	case has == none || c.App != "" && c.App != name:
		return state.App{}, ErrNoApp
	case c.App != "":
		return state.App{}, unbound(c)
	case has < need:
		return state.App{}, fmt.Errorf("%w with %s: ask its owner %s", ErrDenied, name, app.Owner)
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

// unbound refuses a deploy-only key what is not the push to its app.
func unbound(c Caller) error {
	if c.App == "" {
		return nil
	}
	return fmt.Errorf("%w with this key: it is for pushing to %s, cloning it and reading its deployments' logs", ErrDenied, c.App)
}

// manages refuses who is no administrator what one does: "manages users".
func manages(c Caller, what string) error {
	if err := unbound(c); err != nil {
		return err
	}
	if c.Operator || c.Admin {
		return nil
	}
	return fmt.Errorf("%w: only an administrator %s", ErrDenied, what)
}

// person is whose things the caller means: his own, or as administrator another's.
func (s *Service) person(ctx context.Context, c Caller, user string) (string, error) {
	if err := unbound(c); err != nil {
		return "", err
	}
	switch {
	case user == "" && c.Operator:
		return s.onlyUser(ctx)
	case c.User != "" && !c.Operator && (user == "" || user == c.User):
		return c.User, nil
	}
	return s.managed(ctx, c, user)
}

// managed is the name of a user whom the caller may manage.
func (s *Service) managed(ctx context.Context, c Caller, user string) (string, error) {
	if err := manages(c, "manages users"); err != nil {
		return "", err
	}
	_, err := s.cfg.Store.User(ctx, user)
	if errors.Is(err, state.ErrNotFound) {
		return "", invalidf("there is no user %q: 'users' lists them", user)
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
