package command

import "context"

func deleteCache() Command {
	return Command{
		Name: "deployment-delete-cache", Usage: "APP [--json]",
		Summary: "empty what builds of the app have left for the next one",
		Run: func(ctx context.Context, c *Call) error {
			app, _, err := c.app(c.flags(), 0, 0)
			if err != nil {
				return err
			}
			if err := c.Service.DeleteCache(ctx, c.Caller, app); err != nil {
				return err
			}
			return c.done(removal{app, true}, "the next build of %s begins with an empty cache\n", app)
		},
	}
}
