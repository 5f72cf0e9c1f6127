package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"boathook/receive/state"
	"boathook/runner"
)

// errHook is the cause of a context that ended by Limits.Hook.
var errHook = errors.New("hook time-out")

// hook runs a hook of the Procfile, if it has that one and hooks are wanted.
func (r *deployment) hook(ctx context.Context, name string) error {
	command := r.image.Types[name]
	if command == "" {
		return nil
	}
	if r.req.NoHook {
		r.console.Step(fmt.Sprintf("Leaving the %s hook out: %s", name, command))
		return nil
	}
	defer r.phase(name)()
	return r.runHook(ctx, name)
}

// runHook runs a hook in a container of its own: the release's image, the running app's environment.
func (r *deployment) runHook(ctx context.Context, name string) error {
	command := r.image.Types[name]
	r.console.Step(fmt.Sprintf("Running %s hook: %s", name, command))
	vars, reserved, err := r.lookAhead(ctx, name)
	if err != nil {
		return r.because(ctx, err)
	}
	spec, err := r.spec(r.app, r.release(), vars, state.ProcessType{Name: name, Command: command, Size: defaultSize})
	if err != nil {
		return hookFailure(name, "could not be started: "+err.Error(), err)
	}
	spec.Port = true // the environment is the running app's, $PORT included
	spec.First = int(r.record.ID)
	spec.Reserve = reserved

	ctx, rest := r.withRoom(ctx, state.HookError)
	defer rest()
	limited, cancel := context.WithTimeoutCause(ctx, r.Limits.Hook, errHook)
	defer cancel()
	output := r.console.Tools(fmt.Sprintf("[%s-%s] ", name, r.id))
	log := r.appWriter(r.app.ID, name+"-"+r.id)
	exit, err := r.Engine.Run(limited, spec, runner.IO{Out: io.MultiWriter(output, log)})
	output.Flush()
	log.Close()
	if errors.Is(err, runner.ErrOutput) { // what counts is what it has done
		r.Log.Warn("output of a hook", "app", r.app.Name, "deployment", r.id, "err", err)
		err = nil
	}
	return r.hookResult(limited, name, exit, err)
}

// newURL is the variable that a postdeploy hook has and no other container: "http://HOST:PORT" of the first web container of the version
// that it lets live, to which nothing is routed yet. Without a web container it is not set.
const newURL = "BOATHOOK_NEW_URL"

// lookAhead is the hook's variables: the app's, with newURL for postdeploy. The container that it leads to is for the hook alone, unless it
// serves already.
func (r *deployment) lookAhead(ctx context.Context, name string) (vars map[string]string, reserved string, err error) {
	if name != postdeployHook {
		return r.vars, "", nil
	}
	instances, err := r.Engine.List(ctx, runner.Selector{App: r.app.Name, Release: r.id, Type: web})
	if err != nil {
		return nil, "", fmt.Errorf("list the web containers: %w", err)
	}
	first := slices.IndexFunc(instances, dialable)
	if first < 0 {
		return r.vars, "", nil
	}
	vars = maps.Clone(r.vars)
	vars[newURL] = "http://" + instances[first].Addr
	if r.app.Live == r.record.ID {
		return vars, "", nil
	}
	return vars, instances[first].ID, nil
}

// hookResult judges how the hook ended: exit status 0 lets the deployment go on, anything else is hook-error.
func (r *deployment) hookResult(ctx context.Context, name string, exit runner.Exit, err error) error {
	switch {
	case errors.Is(context.Cause(ctx), errHook):
		return hookFailure(name, fmt.Sprintf("took more than %s", r.Limits.Hook), context.Cause(ctx))
	case ctx.Err() != nil:
		return r.because(ctx, ctx.Err())
	case isUnavailable(err):
		return err
	case err != nil:
		return hookFailure(name, "could not be started: "+err.Error(), err)
	case exit.OOMKilled:
		return hookFailure(name, "was out of memory (size "+defaultSize+")", nil)
	case exit.Code != 0:
		return hookFailure(name, fmt.Sprintf("failed with status '%d'", exit.Code), nil)
	}
	return nil
}

// hookFailure says what a hook did, or what was done to it: "Postdeploy hook failed with status '1'".
func hookFailure(name, what string, err error) *Failure {
	return &Failure{Status: state.HookError, Text: strings.ToUpper(name[:1]) + name[1:] + " hook " + what, Err: err}
}
