package command

import "context"

func unsetVariables() Command {
	return Command{Name: "env-unset", Usage: "APP NAME...", Summary: "remove variables", Run: func(ctx context.Context, c *Call) error {
		app, args, err := c.app(c.flags(), 1, -1)
		if err != nil {
			return err
		}
		return c.Service.UnsetVariables(ctx, c.Caller, app, args...)
	}}
}
