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
	if err := s.manages(ctx, c, "users-add"); err != nil {
		return err
	}
	if !userName.MatchString(name) || name == "operator" {
		return fmt.Errorf("%q cannot name a user: use up to 48 lower-case letters, digits, '.', '_' and '-'", name)
	}
	_, err := s.cfg.Store.CreateUser(ctx, name, admin)
	if errors.Is(err, state.ErrExists) {
		return fmt.Errorf("there is a user %s already: choose another name", name)
	}
	if err != nil {
		return err
	}
	action := "users-add " + name
	if admin {
		action += " --admin"
	}
	return s.audit(ctx, c, "", action, nil)
}

// Users returns all users.
func (s *Service) Users(ctx context.Context, c Caller) ([]state.User, error) {
	if err := s.manages(ctx, c, "users"); err != nil {
		return nil, err
	}
	return s.cfg.Store.Users(ctx)
}

// RemoveUser removes a user who owns nothing.
func (s *Service) RemoveUser(ctx context.Context, c Caller, name string) error {
	user, err := s.named(ctx, c, name, "users-remove")
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
	if err != nil {
		return err
	}
	return s.audit(ctx, c, "", "users-remove "+name, nil)
}

func (s *Service) named(ctx context.Context, c Caller, name, action string) (string, error) {
	if err := s.manages(ctx, c, action); err != nil {
		return "", err
	}
	if _, err := s.cfg.Store.User(ctx, name); err != nil {
		if errors.Is(err, state.ErrNotFound) {
			err = fmt.Errorf("there is no user %q: 'users' lists them", name)
		}
		return "", err
	}
	return name, nil
}

// Collaborators returns who else may use the app.
func (s *Service) Collaborators(ctx context.Context, c Caller, app string) ([]state.Collaborator, error) {
	if _, err := s.app(ctx, c, app, "collaborators", limited); err != nil {
		return nil, err
	}
	return s.cfg.Store.Collaborators(ctx, app)
}

// AddCollaborator lets somebody use the app.
func (s *Service) AddCollaborator(ctx context.Context, c Caller, app, user, role string) error {
	a, err := s.app(ctx, c, app, "collaborators-add", owner)
	if err != nil {
		return err
	}
	if role != Collaborator && role != LimitedCollaborator {
		return fmt.Errorf("%q is not a role: choose %s or %s", role, Collaborator, LimitedCollaborator)
	}
	if user == a.Owner {
		return fmt.Errorf("%s owns %s already", user, app)
	}
	err = s.cfg.Store.SetCollaborator(ctx, app, user, role)
	if errors.Is(err, state.ErrNotFound) {
		return fmt.Errorf("there is no user %q: an administrator adds users with 'users-add'", user)
	}
	if err != nil {
		return err
	}
	return s.audit(ctx, c, app, "collaborators-add "+user, nil)
}

// RemoveCollaborator ends it.
func (s *Service) RemoveCollaborator(ctx context.Context, c Caller, app, user string) error {
	if _, err := s.app(ctx, c, app, "collaborators-remove", owner); err != nil {
		return err
	}
	err := s.cfg.Store.RemoveCollaborator(ctx, app, user)
	if errors.Is(err, state.ErrNotFound) {
		return fmt.Errorf("%s is not a collaborator of %s: 'collaborators %s' lists them", user, app, app)
	}
	if err != nil {
		return err
	}
	return s.audit(ctx, c, app, "collaborators-remove "+user, nil)
}
