package apps

import (
	"context"
	"errors"
	"fmt"

	"boathook/receive/gitpack"
	"boathook/receive/state"
)

// Rename gives an app another name, with all it has, and returns its URL under that.
func (s *Service) Rename(ctx context.Context, c Caller, name, to string) (url string, err error) {
	wrong := CheckName(to)
	action := "rename to " + to
	if wrong != nil {
		action = "rename to ?"
	}
	err = s.change(ctx, c, name, action, owner, func(app state.App) error {
		if err := errors.Join(wrong, s.unused(ctx, to)); err != nil {
			return err
		}
		return s.cfg.Runtime.Rename(ctx, app.Name, to, func(ctx context.Context) error { return s.rename(ctx, c, app.Name, to) })
	})
	return s.cfg.Runtime.URL(to), err
}

func nameTaken(name string) error { return fmt.Errorf("the name %s is taken: choose another", name) }

// unused refuses a taken name before anything is started for it. Whether it still is free, the store tells in the end.
func (s *Service) unused(ctx context.Context, name string) error {
	_, err := s.cfg.Store.App(ctx, name)
	switch {
	case err == nil:
		return nameTaken(name)
	case errors.Is(err, state.ErrNotFound):
		return nil
	}
	return err
}

// rename makes the name the app's: for git and in the store, and for those who are at work with the app.
func (s *Service) rename(ctx context.Context, c Caller, name, to string) error {
	done, err := s.beginNaming(ctx)
	if err != nil {
		return err
	}
	defer done()
	err = s.cfg.Repositories.Rename(ctx, name, to, func(ctx context.Context) error {
		err := s.cfg.Store.RenameApp(ctx, name, to, entryOf(c, to, state.RenamedFrom+name, "ok"))
		if errors.Is(err, state.ErrExists) {
			return nameTaken(to)
		}
		return err
	})
	if errors.Is(err, gitpack.ErrBusy) {
		return fmt.Errorf("somebody is pushing to %s: when that has ended, rename again", name)
	}
	if err != nil {
		return err
	}
	for _, v := range s.open() {
		v.rename(name, to)
	}
	return nil
}

// beginNaming waits until nobody else gives a name to an app: the record and the repository of one name must not become two apps'.
func (s *Service) beginNaming(ctx context.Context) (done func(), err error) {
	select {
	case s.naming <- struct{}{}:
		return func() { <-s.naming }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// rename has what was allowed with an app stay allowed under its new name.
func (v *Visit) rename(name, to string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for g := range v.grants {
		if g.app != name {
			continue
		}
		delete(v.grants, g)
		g.app = to
		if g.caller.App == name {
			g.caller.App = to
		}
		v.grants[g] = true
	}
}
