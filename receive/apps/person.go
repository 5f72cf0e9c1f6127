package apps

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

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

// AddUserWithKey makes a user with a first key, or neither of them: a key that cannot be taken is refused before the user is made.
func (s *Service) AddUserWithKey(ctx context.Context, c Caller, name string, admin bool, first NewKey) (Key, error) {
	first.User = name
	if err := s.checkNewKey(ctx, c, first); err != nil {
		return Key{}, s.record(ctx, c, "", "users-add "+fit(userName, name), err)
	}
	if err := s.AddUser(ctx, c, name, admin); err != nil {
		return Key{}, err
	}
	return s.AddKey(ctx, c, first)
}

// checkNewKey is what can be told of a key before its user exists.
func (s *Service) checkNewKey(ctx context.Context, c Caller, k NewKey) error {
	if err := manages(c, "manages users"); err != nil {
		return err
	}
	_, err := s.readKey(ctx, k)
	return err
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

// RemoveUser removes a user who owns nothing, with keys, tokens and sessions.
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
	if owned := ownedBy(user, all); len(owned) > 0 {
		return fmt.Errorf("%s owns %s: destroy what nobody needs any more ('destroy %s'), then remove the user", user, strings.Join(owned, ", "), owned[0])
	}
	err = s.cfg.Store.DeleteUser(ctx, user)
	if errors.Is(err, state.ErrInUse) { // an app made since
		return fmt.Errorf("%s owns an app: destroy it first", user)
	}
	return s.endAccess(ctx, err)
}

func ownedBy(user string, all []state.App) (names []string) {
	for _, app := range all {
		if app.Owner == user {
			names = append(names, app.Name)
		}
	}
	return names
}

// Collaborators returns who may use the app: its owner first, and then the others.
func (s *Service) Collaborators(ctx context.Context, c Caller, name string) ([]state.Collaborator, error) {
	app, err := s.look(ctx, c, name, "collaborators", limited)
	if err != nil {
		return nil, err
	}
	others, err := s.cfg.Store.Collaborators(ctx, name)
	return append([]state.Collaborator{{App: name, User: app.Owner, Role: Owner}}, others...), err
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
		return s.endAccess(ctx, err) // the role before may have been more
	})
}

// RemoveCollaborator ends it, with the user's sessions and deploy-only keys for this app.
func (s *Service) RemoveCollaborator(ctx context.Context, c Caller, app, user string) error {
	return s.change(ctx, c, app, "collaborators-remove "+fit(userName, user), owner, func(state.App) error {
		err := s.cfg.Store.RemoveCollaborator(ctx, app, user)
		if errors.Is(err, state.ErrNotFound) {
			return invalidf("%s is not a collaborator of %s: 'collaborators %s' lists them", user, app, app)
		}
		return s.endAccess(ctx, err)
	})
}
