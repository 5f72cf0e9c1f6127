package command

import "context"

func setCanonicalDomain() Command {
	return Command{
		Name: "set-canonical-domain", Usage: "APP HOST",
		Summary: "have all other hosts of the app redirect to one of its domains",
		Run: func(ctx context.Context, c *Call) error {
			app, args, err := c.app(c.flags(), 1, 1)
			if err != nil {
				return err
			}
			if err := c.Service.SetCanonical(ctx, c.Caller, app, args[0]); err != nil {
				return err
			}
			return c.printf("%s redirects to %s\n", app, args[0])
		},
	}
}

func unsetCanonicalDomain() Command {
	return Command{Name: "unset-canonical-domain", Usage: "APP", Summary: "end the redirection to one domain", Run: func(ctx context.Context, c *Call) error {
		app, _, err := c.app(c.flags(), 0, 0)
		if err != nil {
			return err
		}
		if err := c.Service.SetCanonical(ctx, c.Caller, app, ""); err != nil {
			return err
		}
		return c.printf("%s answers under all its hosts\n", app)
	}}
}
