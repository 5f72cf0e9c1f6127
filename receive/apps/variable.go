package apps

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

var variableName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_]{0,63}$`)

// MaxValue bounds the value of a variable, in characters.
const MaxValue = 32768

// Variables returns the app's environment.
func (s *Service) Variables(ctx context.Context, c Caller, app string) (map[string]string, error) {
	if _, err := s.app(ctx, c, app, "env", member); err != nil {
		return nil, err
	}
	return s.cfg.Store.Variables(ctx, app)
}

// SetVariables adds and changes variables, all or none.
func (s *Service) SetVariables(ctx context.Context, c Caller, app string, vars map[string]string) error {
	if _, err := s.app(ctx, c, app, "env-set", member); err != nil {
		return err
	}
	for name, value := range vars {
		if !variableName.MatchString(name) {
			return fmt.Errorf("%q cannot name a variable: use up to 64 letters, digits and underscores, no underscore first", name)
		}
		if n := utf8.RuneCountInString(value); n > MaxValue {
			return fmt.Errorf("the value of %s has %d characters: at most %d are allowed", name, n, MaxValue)
		}
		if strings.ContainsRune(value, 0) {
			return fmt.Errorf("the value of %s has a NUL byte, which no environment can hold: encode it", name)
		}
	}
	if err := s.cfg.Store.SetVariables(ctx, app, vars); err != nil {
		return err
	}
	return s.audit(ctx, c, app, "env-set", nil)
}

// UnsetVariables removes variables; one that is not set is an error.
func (s *Service) UnsetVariables(ctx context.Context, c Caller, app string, names ...string) error {
	if _, err := s.app(ctx, c, app, "env-unset", member); err != nil {
		return err
	}
	vars, err := s.cfg.Store.Variables(ctx, app)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, ok := vars[name]; !ok {
			return fmt.Errorf("%s is not set: 'env %s' lists the variables", name, app)
		}
	}
	if err := s.cfg.Store.UnsetVariables(ctx, app, names...); err != nil {
		return err
	}
	return s.audit(ctx, c, app, "env-unset", nil)
}
