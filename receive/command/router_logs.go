package command

import "context"

func routerLogs() Command {
	return Command{Name: "router-logs", Usage: "APP [--enable|--disable]", Summary: "have the requests that the router answers for the app in its log, or not; without a flag: tell", Run: func(ctx context.Context, c *Call) error {
		f := c.flags()
		enable := f.Bool("enable", false, "")
		disable := f.Bool("disable", false, "")
		app, _, err := c.app(f, 0, 0)
		switch {
		case err != nil:
			return err
		case *enable && *disable:
			return usagef("either --enable or --disable")
		case *enable || *disable:
			return c.Service.SetRouterLogs(ctx, c.Caller, app, *enable)
		}
		on, err := c.Service.RouterLogs(ctx, c.Caller, app)
		if err != nil {
			return err
		}
		if on {
			return c.printf("enabled\n")
		}
		return c.printf("disabled\n")
	}}
}
