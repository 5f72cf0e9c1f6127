package apps

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"boathook/receive/state"
)

var variableName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_]{0,63}$`)

// MaxValue bounds the value of a variable, in characters.
const MaxValue = 32768

// Variables returns the app's environment.
func (s *Service) Variables(ctx context.Context, c Caller, app string) (map[string]string, error) {
	if _, err := s.look(ctx, c, app, "env", member); err != nil {
		return nil, err
	}
	return s.cfg.Store.Variables(ctx, app)
}

// SetVariables adds and changes variables, all or none.
func (s *Service) SetVariables(ctx context.Context, c Caller, app string, vars map[string]string) error {
	action := "env-set " + names(slices.Sorted(maps.Keys(vars)))
	return s.change(ctx, c, app, action, member, func(state.App) error {
		for name, value := range vars {
			if err := checkVariable(name, value); err != nil {
				return err
			}
		}
		return s.cfg.Store.SetVariables(ctx, app, vars)
	})
}

// ofPlatform are the variables that every container has of the platform ("Containers" of the specification). Its values win.
var ofPlatform = []string{
	"APP", "CONTAINER", "CONTAINER_MEMORY", "CONTAINER_SIZE", "CONTAINER_VERSION", "HOSTNAME", "PORT", "REGION_NAME", "SCALINGO_APPLICATION_ID", "STACK",
}

// OfPlatform tells whether containers get the platform's value of a variable, whatever the app's is.
func OfPlatform(name string) bool { return slices.Contains(ofPlatform, name) }

// names are those of variables, as the audit shows them.
func names(all []string) string {
	shown := make([]string, len(all))
	for i, name := range all {
		shown[i] = fit(variableName, name)
	}
	return strings.Join(shown, " ")
}

func checkVariable(name, value string) error {
	if !variableName.MatchString(name) {
		return invalidf("%q cannot name a variable: use up to 64 letters, digits and underscores, no underscore first", name)
	}
	if n := utf8.RuneCountInString(value); n > MaxValue {
		return invalidf("the value of %s has %d characters: at most %d are allowed", name, n, MaxValue)
	}
	if !utf8.ValidString(value) {
		return invalidf("the value of %s is not text in UTF-8, as every value is: encode it, with 'base64' for one", name)
	}
	if strings.ContainsRune(value, 0) {
		return invalidf("the value of %s has a NUL byte, which no environment can hold: encode it", name)
	}
	return nil
}

// UnsetVariables removes variables; one that is not set is an error.
func (s *Service) UnsetVariables(ctx context.Context, c Caller, app string, which ...string) error {
	return s.change(ctx, c, app, "env-unset "+names(which), member, func(state.App) error {
		vars, err := s.cfg.Store.Variables(ctx, app)
		if err != nil {
			return err
		}
		for _, name := range which {
			if _, ok := vars[name]; !ok {
				return invalidf("%s is not set: 'env %s' lists the variables", name, app)
			}
		}
		return s.cfg.Store.UnsetVariables(ctx, app, which...)
	})
}
