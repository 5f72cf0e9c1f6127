package command

import "context"

func addDomain() Command {
	return Command{
		Name: "domains-add", Usage: "APP HOST [--json]",
		Summary: "send the requests for a domain to the app, *.example.com for any one name before it; its DNS record is yours to make",
		Run: func(ctx context.Context, c *Call) error {
			app, args, err := c.app(c.flags(), 1, 1)
			if err != nil {
				return err
			}
			host, err := c.Service.AddDomain(ctx, c.Caller, app, args[0])
			if err != nil {
				return err
			}
			return c.done(addedDomain{app, host}, "%s is a domain of %s: have its DNS record point here\n", host, app)
		},
	}
}

type addedDomain struct {
	App  string `json:"app"`
	Host string `json:"host"`
}
