// Package command is the management commands: one table, used over SSH and from the host. A command is one file, which holds
// its name, its help and what it does; whether the caller may is for package apps to say.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
)

// Command is one entry of the table.
type Command struct {
	Name    string
	Usage   string // what follows the name: "APP [--json]"
	Summary string // one line
	Run     func(ctx context.Context, c *Call) error
}

// explain answers --help.
func (cmd Command) explain(c *Call) error {
	return c.printf("%s %s\n  %s\n", cmd.Name, cmd.Usage, cmd.Summary)
}

// Table is all commands.
type Table []Command

func (t Table) find(name string) (Command, bool) {
	for _, cmd := range t {
		if cmd.Name == name {
			return cmd, true
		}
	}
	return Command{}, false
}

// usage is a mistake in how a command was written.
type usage struct{ error }

func usagef(format string, args ...any) error { return usage{fmt.Errorf(format, args...)} }

// Run runs a call; without a word it is help. 0 is success, 1 a failure, 2 a mistake in the command line; errors are on
// call.Stderr.
func (t Table) Run(ctx context.Context, c *Call) int {
	if len(c.Args) == 0 {
		c.Args = []string{"help"}
	}
	cmd, ok := t.find(c.Args[0])
	if !ok {
		fmt.Fprintf(c.Stderr, "there is no command %q: 'help' lists them\n", c.Args[0])
		return 2
	}
	c.Args = c.Args[1:]
	err := cmd.Run(ctx, c)
	if errors.Is(err, flag.ErrHelp) {
		err = cmd.explain(c)
	}
	var wrong usage
	switch {
	case err == nil:
		return 0
	case errors.As(err, &wrong):
		fmt.Fprintf(c.Stderr, "%v\nusage: %s %s\n", err, cmd.Name, cmd.Usage)
		return 2
	}
	fmt.Fprintln(c.Stderr, err)
	return 1
}
