package command

import (
	"context"
	"fmt"
)

func getVariable() Command {
	return Command{Name: "env-get", Usage: "APP NAME", Summary: "show one variable", Run: func(ctx context.Context, c *Call) error {
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
		return c.printf("%s\n", value)
	}}
}
