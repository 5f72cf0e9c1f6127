package command

import "context"

func followDeployment() Command {
	return Command{Name: "deployment-follow", Usage: "APP", Summary: "show the deployment under way, from its beginning to its end; fails if it fails", Run: func(ctx context.Context, c *Call) error {
		app, _, err := c.app(c.flags(), 0, 0)
		if err != nil {
			return err
		}
		return c.Service.FollowDeployment(ctx, c.Caller, app, c.Stdout)
	}}
}
