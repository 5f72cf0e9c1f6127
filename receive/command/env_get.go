package command

import (
	"context"
	"fmt"
)

func getVariable() Command {
	return Command{Name: "env-get", Usage: "APP NAME [--json]", Summary: "show one variable", Run: func(ctx context.Context, c *Call) error {
		app, args, err := c.app(c.flags(), 1, 1)
		if err != nil {
			return err
		}
		vars, err := c.Service.Variables(ctx, c.Caller, app)
		if err != nil {
			return err
		}
		value, ok := vars[args[0]]
		if !ok {
			return fmt.Errorf("%q is not set: 'env %s' lists the variables", args[0], app)
		}
		shown := value // to the byte: a script may want it
		if c.Width > 0 {
			shown = printableLines(value)
		}
		return c.done(variable{args[0], value}, "%s\n", shown)
	}}
}

type variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
