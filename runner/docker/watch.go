package docker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/docker/docker/api/types/events"

	"boathook/runner"
)

const (
	// resyncTime is how often a watch lists without being told to, should an event be lost.
	resyncTime = 30 * time.Second
	// A broken event stream is opened again after a wait from the first to the last of these.
	firstRetry, lastRetry = 100 * time.Millisecond, 5 * time.Second
)

// changes are the events after which List may say something else.
var changes = []events.Action{
	events.ActionCreate, events.ActionStart, events.ActionDie, events.ActionDestroy, events.ActionRestart,
	events.ActionOOM, events.ActionStop, events.ActionPause, events.ActionUnPause, events.ActionUpdate,
}

// Watch follows the engine's events and lists again after each. It outlives restarts of the engine; meanwhile the
// last snapshot stands. Only ctx and Close end it.
func (e *Engine) Watch(ctx context.Context, sel runner.Selector) (<-chan []runner.Instance, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errors.New("watch: the engine value is closed")
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &watch{engine: e, sel: sel, out: make(chan []runner.Instance), retry: firstRetry}
	stop := context.AfterFunc(e.alive, cancel)
	e.watchers.Go(func() {
		defer cancel()
		defer stop()
		defer close(w.out)
		w.run(ctx)
	})
	return w.out, nil
}

// watch is one caller's view.
type watch struct {
	engine *Engine
	sel    runner.Selector
	out    chan []runner.Instance
	last   []runner.Instance // as last listed
	listed bool
	fresh  bool          // last was not sent yet
	retry  time.Duration // before the next stream
}

// run opens one event stream after the other.
func (w *watch) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := w.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		w.engine.log.Warn("events of the engine broke off", "err", err, "retry", w.retry)
		select {
		case <-ctx.Done():
		case <-time.After(w.retry):
		}
		w.retry = min(2*w.retry, lastRetry)
	}
}

// follow listens first and lists then, so that nothing falls in between. It returns when the stream breaks.
func (w *watch) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	args := w.engine.selected(w.sel)
	args.Add("type", string(events.ContainerEventType))
	for _, action := range changes {
		args.Add("event", string(action))
	}
	changed, broken := w.engine.client.Events(ctx, events.ListOptions{Filters: args})
	resync := time.NewTicker(resyncTime)
	defer resync.Stop()

	err := w.list(ctx)
	for err == nil {
		w.retry = firstRetry
		var out chan []runner.Instance // nil, which never takes, while there is nothing new
		if w.fresh {
			out = w.out
		}
		select {
		case out <- w.last:
			w.fresh = false
			continue
		case <-changed:
			drainEvents(changed)
		case <-resync.C:
		case err := <-broken:
			return fmt.Errorf("events: %w", err)
		}
		err = w.list(ctx)
	}
	return err
}

// list makes last what is now, and fresh if that is something else than before.
func (w *watch) list(ctx context.Context) error {
	list, err := w.engine.List(ctx, w.sel)
	if err != nil {
		return err
	}
	w.fresh = w.fresh || !w.listed || !slices.Equal(w.last, list)
	w.last, w.listed = list, true
	return nil
}

// drainEvents takes what has queued up: one list answers them all.
func drainEvents(changed <-chan events.Message) {
	for {
		select {
		case <-changed:
		default:
			return
		}
	}
}
