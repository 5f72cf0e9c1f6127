package command

import (
	"cmp"
	"context"
	"errors"
	"flag"

	"boathook/receive/apps"
	"boathook/receive/state"
)

func redeploy() Command {
	return Command{
		Name: "redeploy", Usage: "APP [ID] [--no-hook | --hook-only] [--json]",
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
			ended, err := c.Service.Redeploy(ctx, c.Caller, again)
			if *hookOnly {
				return c.hookEnded(again.App, err)
			}
			return c.ended(ended, err)
		},
	}
}

// hookRun is the outcome of a hook that ran by itself.
type hookRun struct {
	App    string       `json:"app"`
	Hook   string       `json:"hook"`
	Status state.Status `json:"status"` // that a deployment would have
}

// hookEnded is ended for a hook that ran by itself; err says how. One that was refused did not run.
func (c *Call) hookEnded(app string, err error) error {
	status := state.Success
	var failed interface{ Reason() string }
	if errors.As(err, &failed) {
		status = state.Status(failed.Reason())
	}
	if !c.json || err != nil && failed == nil {
		return err
	}
	return cmp.Or(err, c.printJSON(hookRun{app, "postdeploy", status}))
}

// again reads APP [ID] [--no-hook]; the output will be that of a push.
func (c *Call) again(f *flag.FlagSet) (again apps.Redeployment, err error) {
	f.BoolVar(&again.NoHook, "no-hook", false, "")
	again.App, again.From, err = c.deployment(f)
	again.Out = c.transcript()
	return again, err
}
