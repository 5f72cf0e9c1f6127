package apps

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"boathook/receive/state"
)

// Restart replaces the app's containers one by one, all of them or those of the given process types. waiting is told, in lines, whom
// that waits for. A type that the app does not have is refused at once, as are all before the first release.
func (s *Service) Restart(ctx context.Context, c Caller, name string, types []string, waiting func(line string)) error {
	action := "restart"
	for _, one := range types {
		action += " " + fit(typeName, one)
	}
	return s.change(ctx, c, name, action, limited, func(app state.App) error {
		if app.Live == 0 && len(types) > 0 {
			return fmt.Errorf("%s has nothing to restart yet: 'git push scalingo master' makes the first release", app.Name)
		}
		formation, err := s.cfg.Store.Formation(ctx, app.Name)
		if err != nil {
			return err
		}
		var known []string
		for _, p := range formation {
			known = append(known, p.Name)
		}
		for _, one := range types {
			if !slices.Contains(known, one) {
				return invalidf("there is no process type %q: the app has %s", one, strings.Join(known, ", "))
			}
		}
		return s.cfg.Runtime.Restart(ctx, app.Name, types, waiting)
	})
}
