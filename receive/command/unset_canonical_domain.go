package command

import "context"

func unsetCanonicalDomain() Command {
	return Command{Name: "unset-canonical-domain", Usage: "APP [--json]", Summary: "end the redirection to one domain", Run: func(ctx context.Context, c *Call) error {
		app, _, err := c.app(c.flags(), 0, 0)
		if err != nil {
			return err
		}
		if err := c.Service.SetCanonical(ctx, c.Caller, app, ""); err != nil {
			return err
		}
		return c.done(canonical{app, ""}, "%s answers under all its hosts\n", app)
	}}
}
