package command

import "context"

func deleteCache() Command {
	return Command{Name: "deployment-delete-cache", Usage: "APP", Summary: "empty the build cache, so that the next deployment builds everything anew", Run: func(ctx context.Context, c *Call) error {
		app, _, err := c.app(c.flags(), 0, 0)
		if err != nil {
			return err
		}
		return c.Service.DeleteCache(ctx, c.Caller, app)
	}}
}
