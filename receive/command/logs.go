package command

import (
	"context"

	"boathook/receive/apps"
)

func appLogs() Command {
	return Command{Name: "logs", Usage: "APP [-f] [-n N] [--filter NAME|...] [--json]", Summary: "show the last N lines (100; 0: all) that the app's containers, its hooks and the router have printed, or only those of NAME: web-1, web, router, postdeploy, or several: web|worker; -f follows; --json: one JSON object a line", Run: func(ctx context.Context, c *Call) error {
		f := c.flags()
		follow := f.Bool("f", false, "")
		lines := f.Uint("n", 100, "")
		filter := f.String("filter", "", "")
		alias(f, map[string]string{"f": "follow", "n": "lines", "filter": "F"})
		app, _, err := c.app(f, 0, 0)
		if err != nil {
			return err
		}
		out := c.Stdout
		if c.json {
			out = inert{out}
		}
		return c.Service.Logs(ctx, c.Caller, app, apps.LogOptions{Lines: int(*lines), Follow: *follow, Filter: *filter, JSON: c.json}, out)
	}}
}
