package command

import "context"

func cancelDeployment() Command {
	return Command{
		Name: "deployment-cancel", Usage: "APP [ID] [--json]",
		Summary: "abort the deployment under way, or another that waits, before it goes live",
		Run: func(ctx context.Context, c *Call) error {
			app, id, err := c.deployment(c.flags())
			if err != nil {
				return err
			}
			if err := c.Service.CancelDeployment(ctx, c.Caller, app, id); err != nil {
				return err
			}
			return c.done(cancelled{app, id}, "the deployment is cancelled, and what it made is gone\n")
		},
	}
}

type cancelled struct {
	App string `json:"cancelled"`
	ID  int64  `json:"id,omitempty"` // of the deployment, if it was given
}
