package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"

	"boathook/receive/state"
	"boathook/runner"
)

// errHook is the cause of a context that ended by Limits.Hook.
var errHook = errors.New("hook time-out")

// postdeploy runs the hook, if there is one, in a container of its own: the new image, the running app's environment.
func (r *deployment) postdeploy(ctx context.Context) error {
	command := r.image.Types["postdeploy"]
	if command == "" || r.req.NoHook {
		return nil
	}
	defer r.phase("postdeploy")()
	r.console.Step("Running postdeploy hook: " + command)
	spec, err := r.spec(r.app, r.release(), r.vars, state.ProcessType{Name: "postdeploy", Command: command, Size: defaultSize})
	if err != nil {
		return hookFailure(err.Error(), err)
	}
	spec.Port = true // the environment is the running app's, $PORT included
	spec.First = int(r.record.ID)

	limited, cancel := context.WithTimeoutCause(ctx, r.Limits.Hook, errHook)
	defer cancel()
	output := r.console.Tools(fmt.Sprintf("[postdeploy-%s] ", r.id))
	log := r.appWriter(r.app.ID, "postdeploy-"+r.id)
	exit, err := r.Engine.Run(limited, spec, io.MultiWriter(output, log))
	output.Flush()
	log.Close()
	return r.hookResult(limited, exit, err)
}

// hookResult judges how the hook ended: exit status 0 lets the deployment go on, anything else is hook-error.
func (r *deployment) hookResult(ctx context.Context, exit runner.Exit, err error) error {
	switch {
	case errors.Is(context.Cause(ctx), errHook):
		return hookFailure(fmt.Sprintf("Postdeploy hook took more than %s", r.Limits.Hook), context.Cause(ctx))
	case ctx.Err() != nil:
		return r.because(ctx, ctx.Err())
	case isUnavailable(err):
		return err
	case err != nil:
		return hookFailure("Postdeploy hook could not be started: "+err.Error(), err)
	case exit.OOMKilled:
		return hookFailure("Postdeploy hook was out of memory (size "+defaultSize+")", nil)
	case exit.Code != 0:
		return hookFailure(fmt.Sprintf("Postdeploy hook failed with status '%d'", exit.Code), nil)
	}
	return nil
}

func hookFailure(text string, err error) *Failure {
	return &Failure{Status: state.HookError, Text: text, Err: err}
}
