package command

import "context"

func rollback() Command {
	return Command{Name: "rollback", Usage: "APP [ID] [--no-hook]", Summary: "deploy an earlier release, the one before the live one without ID: start, wait, postdeploy, switch", Run: func(ctx context.Context, c *Call) error {
		return c.again(ctx, c.Service.Rollback)
	}}
}
