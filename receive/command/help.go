package command

import (
	"context"
	"strings"
)

// help lists the commands of t, or tells how one of them is used.
func help(t Table) Command {
	self := Command{Name: "help", Usage: "[COMMAND] [--json]", Summary: "list the commands, or tell how one is used"}
	t = append(t[:len(t):len(t)], self)
	self.Run = func(_ context.Context, c *Call) error {
		args, err := c.parse(c.flags(), 0, 1)
		if err != nil {
			return err
		}
		if len(args) == 1 {
			cmd, ok := t.find(args[0])
			if !ok {
				return usagef("there is no command %q: 'help' lists them", args[0])
			}
			return c.explain(cmd)
		}
		if c.json {
			return c.printJSON(t)
		}
		return c.list(t)
	}
	return self
}

// list writes the names of the commands on the left, and what belongs to each on the right of the longest.
func (c *Call) list(t Table) error {
	left := 0
	for _, cmd := range t {
		left = max(left, len(cmd.Name)+gap)
	}
	for _, cmd := range t {
		text := append(c.beside(left, cmd.Usage), c.beside(left, cmd.Summary)...)
		if err := c.printf("%-*s%s\n", left, cmd.Name, strings.Join(text, "\n"+blanks(left))); err != nil {
			return err
		}
	}
	return nil
}

// beside wraps a text that stands right of so many columns. Without a terminal, whose reader may be a program, it is one line.
func (c *Call) beside(left int, text string) []string {
	if c.Width == 0 {
		return []string{text}
	}
	return wrap(text, max(c.Width-left, least))
}

// explain answers --help.
func (c *Call) explain(cmd Command) error {
	if c.json {
		return c.printJSON(cmd)
	}
	usage := c.beside(indent, cmd.Name+" "+cmd.Usage)
	return c.printf("%s\n  %s\n", strings.Join(usage, "\n"+blanks(indent)), strings.Join(c.beside(gap, cmd.Summary), "\n  "))
}
