package command

import (
	"context"
	"flag"
	"fmt"
	"strings"

	"boathook/receive/apps"
)

func runOneOff() Command {
	return Command{
		Name: "run", Usage: "[--size SIZE] [--env NAME=VALUE]... [--detached] [--json] APP COMMAND...", Terminal: true,
		Summary: "run a command in a container of its own: a line for the shell, whose exit status is the answer. Over ssh, 'ssh -t' gives it a terminal. " +
			"--detached: it goes on by itself, and 'logs' has its output. --json: what it prints goes to standard error. " +
			"The line is shown by 'ps', 'timeline' and 'audit', so a secret does not belong in it: give it with --env, or as a variable of the app",
		Run: func(ctx context.Context, c *Call) error {
			app, o, err := c.oneOff()
			if err != nil {
				return err
			}
			var outcome oneOffRun
			o.Started = func(container string) {
				outcome.Container = container
				c.announce(o, container)
			}
			code, err := c.Service.Run(ctx, c.Caller, app, o)
			if err != nil {
				return err
			}
			if c.json {
				if !o.Detached {
					outcome.Status = &code
				}
				err = c.printJSON(outcome)
			}
			if code != 0 {
				return exitStatus(code)
			}
			return err
		},
	}
}

// oneOffRun is the outcome of a one-off.
type oneOffRun struct {
	Container string `json:"container"`
	Status    *int   `json:"exit_status,omitempty"` // of one that has ended
}

// announce tells who looks at a terminal, or goes away, what the container is called. Nobody else's output has more in it than the command's.
func (c *Call) announce(o apps.OneOff, container string) {
	switch {
	case o.Detached && !c.json:
		fmt.Fprintln(c.Stdout, container) // the exit status tells whether it has started
	case c.Terminal != nil && !o.Detached:
		fmt.Fprintf(c.Stdout, "-----> %s\n", container)
	}
}

// oneOff reads the command line: what follows the app is the command, flags and all.
func (c *Call) oneOff() (app string, o apps.OneOff, err error) {
	f := c.flags()
	f.StringVar(&o.Size, "size", "", "")
	f.BoolVar(&o.Detached, "detached", false, "")
	o.Env = map[string]string{}
	f.Func("env", "", func(text string) error {
		name, value, ok := strings.Cut(text, "=")
		if _, twice := o.Env[name]; !ok || name == "" || twice {
			return assignmentMistake(name, twice)
		}
		o.Env[name] = value
		return nil
	})
	alias(f, map[string]string{"size": "s", "detached": "d", "env": "e"})
	appFlag(f, &app)
	words, err := leading(f, c.Args)
	if err != nil {
		return "", o, err
	}
	if app == "" && len(words) > 0 {
		app = words[0]
		if words, err = leading(f, words[1:]); err != nil {
			return "", o, err
		}
	}
	if app == "" {
		return "", o, usagef("which app?")
	}
	o.Size = strings.ToUpper(o.Size)
	o.Command, err = c.shellLine(words)
	switch {
	case o.Detached:
	case c.Terminal != nil && c.json:
		return "", o, usagef("--json is for programs: leave the terminal out, over ssh -t, on the host by '< /dev/null'")
	case c.Terminal != nil:
		o.Streams = apps.Streams{In: c.Terminal.In, Out: c.Terminal.Out, Err: c.Stderr, Terminal: &c.Terminal.Terminal}
	default:
		o.Streams = apps.Streams{In: c.Stdin, Out: c.transcript(), Err: c.Stderr}
	}
	return app, o, err
}

// leading parses the flags that words begin with, and returns what follows them.
func leading(f *flag.FlagSet, words []string) ([]string, error) {
	if err := f.Parse(words); err != nil {
		if err == flag.ErrHelp {
			return nil, err
		}
		return nil, usage{err}
	}
	return f.Args(), nil
}

// shellLine is the command, of so many words at the end of the line: one word is a line for the shell, several are one as they were written. So
// what is in quotes once arrives, as with ssh itself, which takes them off, and what is in quotes twice does so too.
func (c *Call) shellLine(words []string) (line string, err error) {
	if line = strings.Join(words, " "); len(words) > 1 {
		line, err = c.rest(len(words))
	}
	if err == nil && strings.TrimSpace(line) == "" {
		err = usagef("which command?")
	}
	return line, err
}
