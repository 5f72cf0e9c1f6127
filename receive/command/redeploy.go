package command

import (
	"context"
	"io"

	"boathook/receive/apps"
)

func redeploy() Command {
	return Command{Name: "redeploy", Usage: "APP [ID] [--no-hook]", Summary: "deploy a release again without a build, with the variables as they are now; the live one without ID", Run: func(ctx context.Context, c *Call) error {
		return c.again(ctx, c.Service.Redeploy)
	}}
}

// again reads APP [ID] [--no-hook] and has the deployment done; the output is that of a push.
func (c *Call) again(ctx context.Context, do func(ctx context.Context, caller apps.Caller, app string, id int64, noHook bool, out io.Writer) error) error {
	f := c.flags()
	noHook := f.Bool("no-hook", false, "")
	app, id, err := c.deployment(f)
	if err != nil {
		return err
	}
	return do(ctx, c.Caller, app, id, *noHook, c.Stdout)
}
