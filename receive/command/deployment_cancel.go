package command

import "context"

func cancelDeployment() Command {
	return Command{Name: "deployment-cancel", Usage: "APP [ID]", Summary: "abort a deployment that has not gone live, the one under way without ID", Run: func(ctx context.Context, c *Call) error {
		app, id, err := c.deployment(c.flags())
		if err != nil {
			return err
		}
		if id, err = c.Service.CancelDeployment(ctx, c.Caller, app, id); err != nil {
			return err
		}
		return c.printf("deployment %d of %s is aborted\n", id, app)
	}}
}
