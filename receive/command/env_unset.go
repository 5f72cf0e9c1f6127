package command

import "context"

func unsetVariables() Command {
	return Command{
		Name: "env-unset", Usage: "APP NAME... [--restart] [--json]",
		Summary: "remove variables. --restart: restart the app, to take them from the containers",
		Run: func(ctx context.Context, c *Call) error {
			f := c.flags()
			restart := f.Bool("restart", false, "")
			app, args, err := c.app(f, 1, -1)
			if err != nil {
				return err
			}
			if err := c.Service.UnsetVariables(ctx, c.Caller, app, args...); err != nil {
				return err
			}
			return c.changed(ctx, variableChange{App: app, Unset: args}, *restart)
		},
	}
}
