package command

import "context"

func restart() Command {
	return Command{
		Name: "restart", Usage: "APP [TYPE...] [--json]",
		Summary: "replace the containers one by one, with the variables as they are now",
		Run: func(ctx context.Context, c *Call) error {
			app, types, err := c.app(c.flags(), 0, -1)
			if err != nil {
				return err
			}
			if err := c.Service.Restart(ctx, c.Caller, app, types, c.waiting); err != nil {
				return err
			}
			return c.done(restarted{app, append([]string{}, types...)}, "%s is restarted\n", app)
		},
	}
}

type restarted struct {
	App   string   `json:"restarted"`
	Types []string `json:"types"` // none: all
}
