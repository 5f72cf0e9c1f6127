package command

import "context"

func cancelDeployment() Command {
	return Command{
		Name: "deployment-cancel", Usage: "APP [ID]",
		Summary: "abort the deployment under way, or another that waits, before it goes live",
		Run: func(ctx context.Context, c *Call) error {
			app, id, err := c.deployment(c.flags())
			if err != nil {
				return err
			}
			if err := c.Service.CancelDeployment(ctx, c.Caller, app, id); err != nil {
				return err
			}
			return c.printf("the deployment is cancelled, and what it made is gone\n")
		},
	}
}
