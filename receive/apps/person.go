package apps

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"boathook/receive/state"
)

var userName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,47}$`)

// AddUser makes a user.
func (s *Service) AddUser(ctx context.Context, c Caller, name string, admin bool) error {
	action := "users-add " + fit(userName, name)
	if admin {
		action += " --admin"
	}
	return s.record(ctx, c, "", action, s.addUser(ctx, c, name, admin))
}

func (s *Service) addUser(ctx context.Context, c Caller, name string, admin bool) error {
	if err := manages(c, "manages users"); err != nil {
		return err
	}
	if !userName.MatchString(name) || name == "operator" {
		return invalidf("%q cannot name a user: use up to 48 lower-case letters, digits, '.', '_' and '-'", name)
	}
	_, err := s.cfg.Store.CreateUser(ctx, name, admin)
	if errors.Is(err, state.ErrExists) {
		return fmt.Errorf("there is a user %s already: choose another name", name)
	}
	return err
}

// Users returns all users.
func (s *Service) Users(ctx context.Context, c Caller) ([]state.User, error) {
	if err := manages(c, "manages users"); err != nil {
		return nil, s.record(ctx, c, "", "users", err)
	}
	return s.cfg.Store.Users(ctx)
}

// RemoveUser removes a user who owns nothing.
func (s *Service) RemoveUser(ctx context.Context, c Caller, name string) error {
	return s.record(ctx, c, "", "users-remove "+fit(userName, name), s.removeUser(ctx, c, name))
}

func (s *Service) removeUser(ctx context.Context, c Caller, name string) error {
	user, err := s.managed(ctx, c, name)
	if err != nil {
		return err
	}
	all, err := s.cfg.Store.Apps(ctx)
	if err != nil {
		return err
	}
	for _, app := range all {
		if app.Owner == user {
			return fmt.Errorf("%s owns %s: destroy that app first", user, app.Name)
		}
	}
	err = s.cfg.Store.DeleteUser(ctx, user)
	if errors.Is(err, state.ErrInUse) { // an app made since
		return fmt.Errorf("%s owns an app: destroy it first", user)
	}
	return err
}

// Collaborators returns who else may use the app.
func (s *Service) Collaborators(ctx context.Context, c Caller, app string) ([]state.Collaborator, error) {
	if _, err := s.look(ctx, c, app, "collaborators", limited); err != nil {
		return nil, err
	}
	return s.cfg.Store.Collaborators(ctx, app)
}

// AddCollaborator lets somebody use the app.
func (s *Service) AddCollaborator(ctx context.Context, c Caller, name, user, role string) error {
	action := "collaborators-add " + fit(userName, user)
	if role == LimitedCollaborator {
		action += " --limited"
	}
	return s.change(ctx, c, name, action, owner, func(app state.App) error {
		if role != Collaborator && role != LimitedCollaborator {
			return invalidf("%q is not a role: choose %s or %s", role, Collaborator, LimitedCollaborator)
		}
		if user == app.Owner {
			return fmt.Errorf("%s owns %s already", user, name)
		}
		err := s.cfg.Store.SetCollaborator(ctx, name, user, role)
		if errors.Is(err, state.ErrNotFound) {
			return invalidf("there is no user %q: an administrator adds users with 'users-add'", user)
		}
		return err
	})
}

// RemoveCollaborator ends it.
func (s *Service) RemoveCollaborator(ctx context.Context, c Caller, app, user string) error {
	return s.change(ctx, c, app, "collaborators-remove "+fit(userName, user), owner, func(state.App) error {
		err := s.cfg.Store.RemoveCollaborator(ctx, app, user)
		if errors.Is(err, state.ErrNotFound) {
			return invalidf("%s is not a collaborator of %s: 'collaborators %s' lists them", user, app, app)
		}
		return err
	})
}
