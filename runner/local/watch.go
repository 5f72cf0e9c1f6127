package local

import (
	"context"
	"slices"

	"boathook/runner"
)

// Watch is described by [runner.Engine].
func (e *Engine) Watch(ctx context.Context, sel runner.Selector) (<-chan []runner.Instance, error) {
	end, err := e.begin(ctx)
	if err != nil {
		return nil, err
	}
	snapshots := make(chan []runner.Instance)
	go func() {
		defer end()
		defer close(snapshots)
		e.watch(ctx, sel, snapshots)
	}()
	return snapshots, nil
}

// watch sends snapshots that differ from the one taken before until ctx ends or the engine is closed. One that is not taken
// before the next change is replaced.
func (e *Engine) watch(ctx context.Context, sel runner.Selector, snapshots chan<- []runner.Instance) {
	var taken []runner.Instance
	for first := true; ; {
		list, changed := e.snapshot(sel)
		copied := slices.Clone(list) // the reader may do what it likes with its own
		out := snapshots
		if !first && slices.Equal(list, taken) {
			out = nil
		}
		select {
		case out <- list:
			first = false
			taken = copied
		case <-changed:
		case <-ctx.Done():
			return
		case <-e.ctx.Done():
			return
		}
	}
}
