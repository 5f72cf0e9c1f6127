package command

import (
	"bytes"
	"context"
	"flag"
	"strconv"
)

func deploymentLog() Command {
	return Command{Name: "deployment-logs", Usage: "APP [ID] [--json]", Summary: "show a deployment's log, the newest one's without ID", Run: func(ctx context.Context, c *Call) error {
		app, id, err := c.deployment(c.flags())
		if err != nil {
			return err
		}
		if !c.json {
			_, err := c.Service.DeploymentLog(ctx, c.Caller, app, id, c.Stdout)
			return err
		}
		var log bytes.Buffer // a stored log has a bound
		d, err := c.Service.DeploymentLog(ctx, c.Caller, app, id, &log)
		if err != nil {
			return err
		}
		return c.printJSON(logOf{d.ID, string(d.Status), log.String()})
	}}
}

// logOf is a deployment's log, so far if it is under way.
type logOf struct {
	ID     int64  `json:"id"`
	Status string `json:"status"`
	Log    string `json:"log"`
}

// deployment reads APP [ID]; without ID the number is 0.
func (c *Call) deployment(f *flag.FlagSet) (app string, id int64, err error) {
	app, args, err := c.app(f, 0, 1)
	if err != nil || len(args) == 0 {
		return app, 0, err
	}
	if id, err = strconv.ParseInt(args[0], 10, 64); err != nil || id < 1 {
		return app, 0, usagef("%q is not the number of a deployment", args[0])
	}
	return app, id, nil
}
