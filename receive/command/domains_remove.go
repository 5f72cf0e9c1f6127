package command

import "context"

func removeDomain() Command {
	return Command{Name: "domains-remove", Usage: "APP HOST [--json]", Summary: "take a domain from the app", Run: func(ctx context.Context, c *Call) error {
		app, args, err := c.app(c.flags(), 1, 1)
		if err != nil {
			return err
		}
		if err := c.Service.RemoveDomain(ctx, c.Caller, app, args[0]); err != nil {
			return err
		}
		return c.done(removal{args[0], true}, "%s is no domain of %s any more\n", args[0], app)
	}}
}
