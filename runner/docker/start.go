package docker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sync/errgroup"

	"boathook/runner"
)

// parallelStarts bounds the containers that one call brings up at a time; the engine serialises much of it.
const parallelStarts = 8

// Start creates and starts the containers of spec at most eight at a time. It fails if a number of the group
// is taken. What it made is removed on an error even if ctx has ended.
func (e *Engine) Start(ctx context.Context, spec runner.Spec) ([]runner.Instance, error) {
	if err := checkSpec(spec); err != nil {
		return nil, err
	}
	if spec.Replicas == 0 {
		return nil, nil
	}
	call := rand.Text()
	started, err := e.start(ctx, spec, call)
	if err != nil {
		return nil, errors.Join(err, e.undo(ctx, spec.App, call))
	}
	return started, nil
}

func (e *Engine) start(ctx context.Context, spec runner.Spec, call string) ([]runner.Instance, error) {
	b, release, err := e.prepare(ctx, spec, call, false)
	if err != nil {
		return nil, err
	}
	defer release()
	started := make([]runner.Instance, spec.Replicas)
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.SetLimit(parallelStarts)
	for i := range started {
		tasks.Go(func() (err error) {
			started[i], err = e.startOne(ctx, b, max(spec.First, 1)+i)
			return err
		})
	}
	if err := tasks.Wait(); err != nil {
		return nil, err
	}
	return started, nil
}

// prepare looks up what the containers of one call share. Release is to be called when they run.
func (e *Engine) prepare(ctx context.Context, spec runner.Spec, call string, once bool) (b blueprint, release func(), err error) {
	b = blueprint{spec: spec, call: call, once: once}
	var looks errgroup.Group // at once, as each is a round trip or more
	looks.Go(func() (err error) { b.user, err = e.user(ctx, spec.Image); return err })
	looks.Go(func() (err error) { b.network, release, err = e.networks.lease(ctx, spec.App); return err })
	if err := looks.Wait(); err != nil {
		if release != nil {
			release()
		}
		return blueprint{}, nil, err
	}
	return b, release, nil
}

func (e *Engine) startOne(ctx context.Context, b blueprint, number int) (runner.Instance, error) {
	id, err := e.create(ctx, b, number)
	if err != nil {
		return runner.Instance{}, err
	}
	if err := e.client.ContainerStart(ctx, id, container.StartOptions{}); err != nil {
		return runner.Instance{}, wrap(ctx, fmt.Sprintf("start %s-%d of %s", b.spec.Type, number, b.spec.App), err)
	}
	return e.instance(ctx, id)
}

// undo removes the containers of one call, and the network if they were the app's only ones.
func (e *Engine) undo(ctx context.Context, app, call string) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	args := e.selected(runner.Selector{App: app})
	args.Add("label", labelCall+"="+call)
	made, err := e.client.ContainerList(ctx, container.ListOptions{All: true, Filters: args})
	if err != nil {
		return wrap(ctx, "list what was started", err)
	}
	var tasks errgroup.Group
	for _, c := range made {
		tasks.Go(func() error { return e.destroy(ctx, c.ID) })
	}
	return errors.Join(tasks.Wait(), e.networks.drop(ctx, app))
}
