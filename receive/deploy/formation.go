package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"mvdan.cc/sh/v3/shell"

	"boathook/receive/state"
	"boathook/runner"
)

// The hooks are Procfile entries that are run by a deployment and never scaled.
const (
	releaseHook    = "release"    // before the new version is started
	postdeployHook = "postdeploy" // when it has started, before it goes live
)

func isHook(processType string) bool {
	return processType == releaseHook || processType == postdeployHook
}

// inFormation tells whether containers of a type are in an app's formation: those of hooks and of `run` are not.
func inFormation(processType string) bool { return !isHook(processType) && processType != oneOff }

// web is the process type that gets a port and the app's requests.
const web = "web"

// planFormation decides what a release runs: the stored amounts for the types it declares, one web container and none
// of any other type where the type is new. A type that is scaled up and no longer declared is a Failure.
func planFormation(stored []state.ProcessType, types map[string]string) ([]state.ProcessType, error) {
	known := map[string]state.ProcessType{}
	for _, p := range stored {
		known[p.Name] = p
		if _, declared := types[p.Name]; !declared && p.Amount > 0 && !isHook(p.Name) {
			return nil, &Failure{
				Status: state.BuildError,
				Text:   fmt.Sprintf("The Procfile does not declare '%s' any more, but it is scaled to %d", p.Name, p.Amount),
				Advice: fmt.Sprintf("Declare it again, or scale it down first: scale %s:0", p.Name),
			}
		}
	}
	if _, declared := types[oneOff]; declared {
		return nil, &Failure{
			Status: state.BuildError, Text: "The Procfile declares the type 'one-off', which is that of the containers of 'run'", Advice: "Give the type another name",
		}
	}
	var plan []state.ProcessType
	for name, command := range types {
		if isHook(name) {
			continue
		}
		p, old := known[name]
		if !old {
			p = state.ProcessType{Name: name, Size: defaultSize}
			if name == web {
				p.Amount = 1
			}
		}
		p.Command = command
		plan = append(plan, p)
	}
	slices.SortFunc(plan, func(a, b state.ProcessType) int { return strings.Compare(a.Name, b.Name) })
	return plan, nil
}

// argv is the command line of a process type. An image without a shell gets the command split into words, with $NAME
// taken from env; an empty command leaves everything to the image (nil).
func argv(release state.Release, command string, env map[string]string) ([]string, error) {
	if command == "" {
		return nil, nil
	}
	if len(release.Launcher) > 0 {
		return append(slices.Clone(release.Launcher), command), nil
	}
	words, err := shell.Fields(command, func(name string) string { return env[name] })
	if err != nil {
		return nil, fmt.Errorf("the image has no shell, and the command cannot be split into words: %w", err)
	}
	return words, nil
}

// spec describes the containers of one process type.
func (d *Deployer) spec(app state.App, release state.Release, vars map[string]string, p state.ProcessType) (runner.Spec, error) {
	env := d.environment(app, release, vars, p.Size)
	args, err := argv(release, p.Command, env)
	if err != nil {
		return runner.Spec{}, err
	}
	return runner.Spec{
		Group: runner.Group{App: app.Name, Release: fmt.Sprint(release.Deployment), Type: p.Name},
		Image: release.Image, Argv: args, Env: env, Port: p.Name == web, Limits: limitsOf(p.Size), Replicas: p.Amount,
	}, nil
}

// release is the deployment's release as it is stored.
func (r *deployment) release() state.Release {
	return state.Release{
		Deployment: r.record.ID, App: r.app.Name, Commit: r.req.Commit, Image: r.image.Ref, Stack: r.image.Stack,
		Launcher: r.image.Launcher, Types: r.image.Types, Size: r.image.Size,
	}
}

// start starts the whole formation beside the old one, all types at once.
func (r *deployment) start(ctx context.Context) error {
	if err := r.enterStatus(ctx, state.Starting); err != nil {
		return err
	}
	defer r.phase("start")()
	if amounts(r.formation) > 0 {
		r.console.Platform("Waiting for your application to boot...")
	}
	return r.startFormation(ctx, r.release())
}

// startFormation starts the containers of a release, all types at once, or none if one of them cannot be described.
func (r *deployment) startFormation(ctx context.Context, release state.Release) error {
	var specs []runner.Spec
	for _, p := range r.formation {
		if p.Amount == 0 {
			continue
		}
		spec, err := r.spec(r.app, release, r.vars, p)
		if err != nil {
			return &Failure{Status: state.CrashedError, Text: "Your application could not be started: " + err.Error(), Err: err}
		}
		specs = append(specs, spec)
	}
	group, groupCtx := errgroup.WithContext(ctx)
	for _, spec := range specs {
		group.Go(func() error {
			_, err := r.Engine.Start(groupCtx, spec)
			return err
		})
	}
	return startFailure(ctx, group.Wait())
}

// startFailure tells an engine that refused the command from one that was not there.
func startFailure(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || isUnavailable(err) {
		return err
	}
	return &Failure{Status: state.CrashedError, Text: "Your application could not be started", Output: err.Error(), Err: err}
}

func amounts(formation []state.ProcessType) int {
	total := 0
	for _, p := range formation {
		total += p.Amount
	}
	return total
}
