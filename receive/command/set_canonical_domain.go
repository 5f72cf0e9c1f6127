package command

import "context"

func setCanonicalDomain() Command {
	return Command{
		Name: "set-canonical-domain", Usage: "APP HOST [--json]",
		Summary: "have all other hosts of the app redirect to one of its domains",
		Run: func(ctx context.Context, c *Call) error {
			app, args, err := c.app(c.flags(), 1, 1)
			if err != nil {
				return err
			}
			if err := c.Service.SetCanonical(ctx, c.Caller, app, args[0]); err != nil {
				return err
			}
			return c.done(canonical{app, args[0]}, "%s redirects to %s\n", app, args[0])
		},
	}
}

// canonical is the host to which an app redirects, "" none.
type canonical struct {
	App  string `json:"app"`
	Host string `json:"canonical"`
}
