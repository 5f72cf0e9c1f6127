package apps

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"boathook/receive/state"
)

// signals may be sent. STOP is not among them: a container that stands still does not look ill to anybody.
var signals = []string{"HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "TERM", "TTIN", "TTOU", "WINCH"}

// targetName is a process type, or a container of it.
var targetName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)

// Signal sends a signal, "USR1" or "SIGUSR1", to running containers of the live release, given by their names or process types, and returns the
// names of those that got it.
func (s *Service) Signal(ctx context.Context, c Caller, app, signal string, to []string) (sent []string, err error) {
	signal = strings.TrimPrefix(strings.ToUpper(signal), "SIG")
	known := slices.Contains(signals, signal)
	err = s.change(ctx, c, app, signalAction(signal, known, to), member, func(app state.App) error {
		if !known {
			return invalidf("%q is no signal that can be sent: choose one of %s", signal, strings.Join(signals, ", "))
		}
		sent, err = s.cfg.Runtime.Signal(ctx, app.Name, signal, to)
		return err
	})
	return sent, err
}

// signalAction is what the audit shows: "send-signal USR1 web-1".
func signalAction(signal string, known bool, to []string) string {
	if !known {
		signal = "?"
	}
	action := "send-signal " + signal
	for _, name := range to {
		action += " " + fit(targetName, name)
	}
	return action
}
