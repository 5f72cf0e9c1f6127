package command

import (
	"context"
	"flag"

	"boathook/receive/apps"
)

func redeploy() Command {
	return Command{
		Name: "redeploy", Usage: "APP [ID] [--no-hook | --hook-only]",
		Summary: "deploy a release again without a build, with the variables as they are now; the live one without ID. --hook-only: only run the live one's postdeploy",
		Run: func(ctx context.Context, c *Call) error {
			f := c.flags()
			hookOnly := f.Bool("hook-only", false, "")
			again, err := c.again(f)
			if err != nil {
				return err
			}
			if *hookOnly && again.NoHook {
				return usagef("--hook-only and --no-hook together leave nothing to do")
			}
			again.HookOnly = *hookOnly
			return c.Service.Redeploy(ctx, c.Caller, again)
		},
	}
}

// again reads APP [ID] [--no-hook]; the output will be that of a push.
func (c *Call) again(f *flag.FlagSet) (again apps.Redeployment, err error) {
	f.BoolVar(&again.NoHook, "no-hook", false, "")
	again.Out = c.Stdout
	again.App, again.From, err = c.deployment(f)
	return again, err
}
