package command

import "context"

func followDeployment() Command {
	return Command{
		Name: "deployment-follow", Usage: "APP [ID] [--json]",
		Summary: "show the log of the deployment under way, or of another, until it has ended; exit status 0 only if in success",
		Run: func(ctx context.Context, c *Call) error {
			app, id, err := c.deployment(c.flags())
			if err != nil {
				return err
			}
			return c.ended(c.Service.FollowDeployment(ctx, c.Caller, app, id, c.transcript()))
		},
	}
}
