package command

import "context"

func stopOneOff() Command {
	return Command{Name: "one-off-stop", Usage: "APP CONTAINER [--json]", Summary: "end a container of 'run', and remove it", Run: func(ctx context.Context, c *Call) error {
		app, args, err := c.app(c.flags(), 1, 1)
		if err != nil {
			return err
		}
		if err := c.Service.StopOneOff(ctx, c.Caller, app, args[0]); err != nil {
			return err
		}
		return c.done(stopped{app, args[0]}, "%s of %s is stopped\n", args[0], app)
	}}
}

type stopped struct {
	App       string `json:"app"`
	Container string `json:"container"`
}
