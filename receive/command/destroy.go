package command

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
)

func destroyApp() Command {
	return Command{Name: "destroy", Usage: "APP [--force] [--json]", Summary: "remove an app for ever; without --force its name is asked for once more", Run: func(ctx context.Context, c *Call) error {
		f := c.flags()
		force := f.Bool("force", false, "")
		name, _, err := c.app(f, 0, 0)
		if err != nil {
			return err
		}
		if err := c.Service.MayDestroy(ctx, c.Caller, name); err != nil {
			return err
		}
		confirm := name
		if !*force {
			if confirm, err = c.ask(fmt.Sprintf("Type %s to destroy it with everything it has:", name)); err != nil {
				return err
			}
		}
		if err := c.Service.Destroy(ctx, c.Caller, name, confirm, c.waiting); err != nil {
			return err
		}
		return c.done(removal{name, true}, "%s is destroyed, with everything it had\n", name)
	}}
}

// ask puts a question on standard error and returns the line that answers it. The question ends its line: an answer that comes through a
// pipe has no echo that would, nor has none at all.
func (c *Call) ask(question string) (string, error) {
	if _, err := fmt.Fprintln(c.Stderr, question); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(io.LimitReader(c.Stdin, 100)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("standard input: %w", err)
	}
	return strings.TrimSpace(line), nil
}
