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
	Name    string `json:"name"`
	Usage   string `json:"usage"`   // what follows the name: "APP [--json]"
	Summary string `json:"summary"` // one line
	// Terminal tells that the command works the caller's terminal itself. Others write lines, and read what was typed a line at a time.
	Terminal bool                                     `json:"-"`
	Run      func(ctx context.Context, c *Call) error `json:"-"`
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

// exitStatus is that of a command which has ended as it should, and says more with it than boathook knows.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// Raw tells whether a line asks for a command that works the caller's terminal itself.
func (t Table) Raw(args []string) bool {
	if len(args) == 0 {
		return false
	}
	cmd, _ := t.find(args[0])
	return cmd.Terminal
}

// Run runs a call; without a word it is help. 0 is success, 1 a failure, 2 a mistake in the command line; errors are on
// call.Stderr. A call that ends with ctx says why, as ctx's cause has it, and nothing if that is [context.Canceled]: then the caller has left.
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
	over := ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx)))
	if over {
		err = context.Cause(ctx)
	}
	if errors.Is(err, flag.ErrHelp) {
		err = c.explain(cmd)
	}
	var wrong usage
	var status exitStatus
	switch {
	case err == nil:
		return 0
	case over && errors.Is(err, context.Canceled):
		return 1
	case errors.As(err, &wrong):
		fmt.Fprintf(c.Stderr, "%v\nusage: %s %s\n", err, cmd.Name, cmd.Usage)
		return 2
	case errors.As(err, &status):
		return int(status)
	}
	fmt.Fprintln(c.Stderr, err)
	return 1
}
