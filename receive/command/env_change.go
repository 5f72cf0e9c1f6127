package command

import (
	"context"
	"fmt"
	"strings"
)

// variableChange is what has become of an app's variables.
type variableChange struct {
	App           string   `json:"app"`
	Set           []string `json:"set,omitempty"`
	Unset         []string `json:"unset,omitempty"`
	Overridden    []string `json:"overridden,omitempty"` // of Set: containers get the platform's values
	Restarted     bool     `json:"restarted"`
	RestartNeeded bool     `json:"restart_needed"` // the containers have the variables as they were
}

// changed restarts the app if that is wanted, or tells how. What is not deployed has nothing to restart.
func (c *Call) changed(ctx context.Context, v variableChange, restart bool) error {
	deployed, err := c.Service.Deployed(ctx, c.Caller, v.App)
	if err != nil {
		return err
	}
	if len(v.Overridden) > 0 {
		fmt.Fprintf(c.Stderr, "%s: containers get the platform's own value, whatever is set\n", strings.Join(v.Overridden, ", "))
	}
	again := c.typed("restart " + v.App)
	if deployed && restart {
		if err := c.Service.Restart(ctx, c.Caller, v.App, nil, c.waiting); err != nil {
			return fmt.Errorf("%s, but not for all containers: %w\nwhen that is mended: %s", v.sentence(), err, again)
		}
	}
	v.Restarted, v.RestartNeeded = deployed && restart, deployed && !restart
	switch {
	case v.Restarted:
		return c.done(v, "%s, and the app is restarted\n", v.sentence())
	case v.RestartNeeded:
		return c.done(v, "%s. The containers that run go on as they are until a restart: %s\n", v.sentence(), again)
	}
	return c.done(v, "%s, from the first deployment on\n", v.sentence())
}

// sentence is its beginning: "A, B are set for my-app".
func (v variableChange) sentence() string {
	names, what := v.Set, "set for"
	if len(v.Unset) > 0 {
		names, what = v.Unset, "removed from"
	}
	verb := "is"
	if len(names) > 1 {
		verb = "are"
	}
	return fmt.Sprintf("%s %s %s %s", strings.Join(names, ", "), verb, what, v.App)
}
