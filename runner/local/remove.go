package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"boathook/runner"
)

// Remove is described by [runner.Engine]. If ctx ends before, what was not removed has got its SIGTERM, is
// not restarted, and can be removed again.
func (e *Engine) Remove(ctx context.Context, sel runner.Selector, grace time.Duration) error {
	end, err := e.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return e.removeAll(ctx, e.selected(sel), grace)
}

// RemoveInstance is described by [runner.Engine].
func (e *Engine) RemoveInstance(ctx context.Context, id string, grace time.Duration) error {
	end, err := e.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	i, err := e.instance(id)
	if errors.Is(err, runner.ErrNotFound) {
		return nil
	}
	return e.remove(ctx, i, grace)
}

// removeAll removes the instances side by side.
func (e *Engine) removeAll(ctx context.Context, list []*instance, grace time.Duration) error {
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	for at, i := range list {
		wg.Go(func() { errs[at] = e.remove(ctx, i, grace) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// remove stops the instance and deletes all that is its. Removing it twice is no error.
func (e *Engine) remove(ctx context.Context, i *instance, grace time.Duration) error {
	select {
	case i.busy <- struct{}{}:
		defer func() { <-i.busy }()
	case <-ctx.Done():
		return fmt.Errorf("remove %s: %w", i.rec.ID, ctx.Err())
	}
	if e.isRemoved(i) {
		return nil
	}
	err := e.stop(ctx, i, grace)
	if err == nil {
		err = e.forget(i)
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", i.rec.ID, err)
	}
	return nil
}

func (e *Engine) isRemoved(i *instance) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return i.removed
}

// stop ends the instance's processes and waits for it. From its beginning on nothing is restarted, by a
// later boathook neither.
func (e *Engine) stop(ctx context.Context, i *instance, grace time.Duration) error {
	err := e.change(i, func(r *record) {
		r.Keep = false
		if !closed(i.stopped) {
			close(i.stopped)
		}
	})
	if err != nil {
		return err
	}
	if p := e.running(i); p != nil && grace > 0 {
		if err := p.terminate(); err != nil {
			return err
		}
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-i.done:
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if p := e.running(i); p != nil {
		if err := p.kill(); err != nil {
			return err
		}
	}
	select {
	case <-i.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if e.running(i) != nil {
		return errClosed
	}
	return nil
}

// forget deletes the instance's directory, the record first: without it the next boathook deletes the rest.
func (e *Engine) forget(i *instance) error {
	if err := os.Remove(filepath.Join(i.dir, "instance.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := removeTree(i.dir); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	i.removed = true
	delete(e.instances, i.rec.ID)
	delete(e.ports, i.rec.Port)
	e.announce()
	return nil
}
