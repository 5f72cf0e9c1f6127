package docker

import (
	"context"
	"errors"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"golang.org/x/sync/errgroup"

	"boathook/runner"
)

// Remove stops and removes the selected containers side by side, then the networks that nothing uses any more.
// One that cannot be removed does not keep the others.
func (e *Engine) Remove(ctx context.Context, sel runner.Selector, grace time.Duration) error {
	found, err := e.client.ContainerList(ctx, container.ListOptions{All: true, Filters: e.selected(sel)})
	if err != nil {
		return wrap(ctx, "list containers", err)
	}
	errs := make([]error, len(found))
	var tasks errgroup.Group
	for i, c := range found {
		tasks.Go(func() error {
			errs[i] = e.stopAndDestroy(ctx, c.ID, grace)
			return nil
		})
	}
	return errors.Join(tasks.Wait(), errors.Join(errs...), e.dropNetworks(ctx, sel))
}

// RemoveInstance is Remove for one container of this namespace.
func (e *Engine) RemoveInstance(ctx context.Context, id string, grace time.Duration) error {
	instance, err := e.instance(ctx, id)
	if errors.Is(err, runner.ErrNotFound) {
		e.networks.reservations.end(id)
		return nil
	}
	if err != nil {
		return err
	}
	if err := e.stopAndDestroy(ctx, instance.ID, grace); err != nil {
		return err
	}
	return e.networks.drop(ctx, instance.App)
}

// dropNetworks looks at the networks that sel may have emptied, those of earlier times included.
func (e *Engine) dropNetworks(ctx context.Context, sel runner.Selector) error {
	if sel.App != "" {
		return e.networks.drop(ctx, sel.App)
	}
	found, err := e.networks.find(ctx)
	errs := []error{err}
	for _, f := range found {
		errs = append(errs, e.networks.drop(ctx, f.Labels[labelApp]))
	}
	return errors.Join(errs...)
}

// stopAndDestroy gives the container its grace, in whole seconds rounded up as the engine counts them. To stop it
// through the engine also ends its restarts. One that the engine fails to stop is killed.
func (e *Engine) stopAndDestroy(ctx context.Context, id string, grace time.Duration) error {
	if grace > 0 {
		seconds := int((grace + time.Second - 1) / time.Second)
		err := e.client.ContainerStop(ctx, id, container.StopOptions{Timeout: &seconds})
		if err = wrap(ctx, "stop "+id, err); err != nil && (ctx.Err() != nil || errors.Is(err, runner.ErrUnavailable)) {
			return err
		}
		if err != nil && !isNotFound(err) {
			e.log.Warn("not stopped, so killed", "container", id, "err", err)
		}
	}
	return e.destroy(ctx, id)
}

// destroy kills what still runs and removes the container with its volumes, and what was kept for it alone. It is no error that it is gone.
func (e *Engine) destroy(ctx context.Context, id string) error {
	err := e.kill(ctx, id)
	if err == nil {
		e.networks.reservations.end(id)
	}
	return err
}

// How often the engine is asked to remove a container, and the pause between two attempts: a busy one fails now and then, as the process has not
// ended in the engine's time or a layer is still in use.
const (
	removeTries = 3
	removePause = time.Second
)

func (e *Engine) kill(ctx context.Context, id string) error {
	for try := 1; ; try++ {
		err := e.removeOnce(ctx, id)
		if err == nil || try == removeTries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(removePause):
			e.log.Warn("removed once more", "container", id, "err", err)
		}
	}
}

func (e *Engine) removeOnce(ctx context.Context, id string) error {
	err := e.client.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	switch {
	case err == nil || isNotFound(err):
		return nil
	case errdefs.IsConflict(err): // somebody else is removing it
		return e.waitRemoved(ctx, id)
	}
	return wrap(ctx, "remove "+id, err)
}

func (e *Engine) waitRemoved(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, cleanupTime)
	defer cancel()
	removed, failed := e.client.ContainerWait(ctx, id, container.WaitConditionRemoved)
	select {
	case <-removed:
		return nil
	case err := <-failed:
		if isNotFound(err) {
			return nil
		}
		return wrap(ctx, "wait for the removal of "+id, err)
	}
}
