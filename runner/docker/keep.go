package docker

import (
	"context"
	"errors"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sync/errgroup"

	"boathook/runner"
)

// Keep sets the engine's restart policy "unless-stopped": it begins with 100 ms, doubles up to a minute, and
// starts over after ten seconds of running. Containers of Run are never restarted, and one that has ended
// already stays as it is.
func (e *Engine) Keep(ctx context.Context, sel runner.Selector) error {
	args := e.selected(sel)
	args.Add("label", labelOnce+"=false")
	found, err := e.client.ContainerList(ctx, container.ListOptions{All: true, Filters: args})
	if err != nil {
		return wrap(ctx, "list containers", err)
	}
	errs := make([]error, len(found))
	var tasks errgroup.Group
	tasks.SetLimit(parallelInspects)
	for i, c := range found {
		if c.State == container.StateExited || c.State == container.StateDead {
			continue
		}
		tasks.Go(func() error {
			errs[i] = e.keep(ctx, c.ID)
			return nil
		})
	}
	return errors.Join(tasks.Wait(), errors.Join(errs...))
}

func (e *Engine) keep(ctx context.Context, id string) error {
	_, err := e.client.ContainerUpdate(ctx, id, container.UpdateConfig{
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyUnlessStopped},
	})
	if isNotFound(err) {
		return nil
	}
	return wrap(ctx, "keep "+id, err)
}
