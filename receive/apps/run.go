package apps

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"boathook/receive/state"
)

// maxCommand bounds the command of a one-off, in characters.
const maxCommand = 32768

// OneOff is a command in a container of its own.
type OneOff struct {
	Command  string            // a line for the shell
	Size     string            // "" is M
	Env      map[string]string // on top of the app's variables
	Detached bool              // it goes on by itself, and its output is in the app's log; there are no streams then
	Streams

	// Started is told the container's name ("one-off-1234") before anything of it comes.
	Started func(container string)
}

// Streams is what a one-off reads and writes.
type Streams struct {
	In       io.Reader // nil: nothing to read
	Out, Err io.Writer // the command's; with a terminal Err is for what boathook says
	Terminal *Terminal // nil: none
}

// Terminal is the caller's, whose keys and whose screen are In and Out.
type Terminal struct {
	Type    string // TERM of its environment, "" for none
	Size    Size
	Resized <-chan Size
}

// Size is that of a terminal, in characters.
type Size = struct{ Columns, Rows uint16 }

// Run runs a command in a container of the app's live release, and returns its exit status when it has ended; that of a detached one is
// 0. What is recorded is that it began, as a session may last for days.
func (s *Service) Run(ctx context.Context, c Caller, name string, o OneOff) (status int, err error) {
	var live bool
	err = s.change(ctx, c, name, o.action(), member, func(app state.App) error {
		live = app.Live != 0
		if !live {
			return fmt.Errorf("%s has no release yet: 'git push scalingo master' makes the first", name)
		}
		return o.check()
	})
	if err != nil {
		return 0, err
	}
	return s.cfg.Runtime.Run(ctx, name, o)
}

func (o OneOff) action() string {
	action := "run"
	if o.Detached {
		action += " --detached"
	}
	if len(o.Env) > 0 {
		action += " --env " + names(slices.Sorted(maps.Keys(o.Env)))
	}
	return action + " " + o.Command
}

func (o OneOff) check() error {
	for name, value := range o.Env {
		if err := checkVariable(name, value); err != nil {
			return err
		}
	}
	switch {
	case o.Size != "" && !slices.Contains(sizes, o.Size):
		return invalidf("there is no size %q: choose one of %s", o.Size, strings.Join(sizes, ", "))
	case !utf8.ValidString(o.Command):
		return invalidf("the command is not text in UTF-8: put it into a script of the app")
	case strings.ContainsRune(o.Command, 0):
		return invalidf("the command has a NUL byte, which no command line can hold")
	case utf8.RuneCountInString(o.Command) > maxCommand:
		return invalidf("the command has more than %d characters: put it into a script of the app", maxCommand)
	}
	return nil
}

// StopOneOff ends a one-off, and removes it: SIGTERM, and SIGKILL after the platform's grace.
func (s *Service) StopOneOff(ctx context.Context, c Caller, app, container string) error {
	return s.change(ctx, c, app, "one-off-stop "+fit(typeName, container), member, func(state.App) error {
		return s.cfg.Runtime.StopOneOff(ctx, app, container)
	})
}
