package command

import (
	"context"
	"maps"
	"slices"
)

func listVariables() Command {
	return Command{Name: "env", Usage: "APP [--json]", Summary: "show variables", Run: func(ctx context.Context, c *Call) error {
		app, _, err := c.app(c.listFlags(), 0, 0)
		if err != nil {
			return err
		}
		vars, err := c.Service.Variables(ctx, c.Caller, app)
		if err != nil {
			return err
		}
		if c.json {
			return c.printJSON(vars)
		}
		for _, name := range slices.Sorted(maps.Keys(vars)) {
			if err := c.printf("%s=%s\n", name, vars[name]); err != nil {
				return err
			}
		}
		return nil
	}}
}
