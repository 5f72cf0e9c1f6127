package command

import "context"

func rollback() Command {
	return Command{
		Name: "rollback", Usage: "APP [ID] [--no-hook] [--json]",
		Summary: "deploy an earlier release, the one before the live one without ID: release, start, wait, postdeploy, switch",
		Run: func(ctx context.Context, c *Call) error {
			again, err := c.again(c.flags())
			if err != nil {
				return err
			}
			return c.ended(c.Service.Rollback(ctx, c.Caller, again))
		},
	}
}
