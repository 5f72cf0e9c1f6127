package docker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/docker/docker/api/types/container"

	"boathook/runner"
)

// Run runs one container to its end. If a writer fails, the rest for it is thrown away and the process goes on.
// Run does not return while a Write blocks.
func (e *Engine) Run(ctx context.Context, spec runner.Spec, with runner.IO) (exit runner.Exit, err error) {
	if err := checkSpec(spec); err != nil {
		return runner.Exit{Code: -1}, err
	}
	call := rand.Text()
	var id string
	var once *oneOff
	defer func() {
		// First the process, whatever the writers do; then the goroutine that may be waiting for them.
		undone := e.undo(ctx, spec.App, call)
		switch {
		case undone == nil:
			e.networks.reservations.end(id) // the container may be gone by somebody else's doing
		case err == nil:
			e.log.Error("container of a process that has ended not removed", "container", id, "err", undone)
		default:
			err = errors.Join(err, undone)
		}
		if once != nil {
			once.streams.close()
		}
	}()
	b, release, err := e.prepare(ctx, spec, call, true)
	if err != nil {
		return runner.Exit{Code: -1}, err
	}
	b.io = with
	if spec.Reserve != "" && !e.networks.reservations.off {
		b.guest = newHardwareAddr()
	}
	id, once, err = e.launch(ctx, b)
	release()
	if err != nil {
		return runner.Exit{Code: -1}, err
	}
	return once.wait(ctx)
}

// oneOff is a container that Run has started.
type oneOff struct {
	engine  *Engine
	id      string
	ended   <-chan container.WaitResponse
	failed  <-chan error
	streams *streams
}

// launch attaches and begins to wait before it starts the container, so that neither the first byte nor a quick
// end is missed. It returns the id of what it has made also with an error.
func (e *Engine) launch(ctx context.Context, b blueprint) (id string, o *oneOff, err error) {
	id, err = e.create(ctx, b, max(b.spec.First, 1))
	if err != nil {
		return "", nil, err
	}
	if err := e.reserve(ctx, b, id); err != nil {
		return id, nil, err
	}
	attached, err := e.client.ContainerAttach(ctx, id, container.AttachOptions{Stream: true, Stdin: b.io.In != nil, Stdout: true, Stderr: true})
	if err != nil {
		return id, nil, wrap(ctx, "attach to "+id, err)
	}
	o = &oneOff{engine: e, id: id, streams: e.carry(attached, b.io)}
	o.ended, o.failed = e.client.ContainerWait(ctx, id, container.WaitConditionNextExit)
	if err := e.client.ContainerStart(ctx, id, container.StartOptions{}); err != nil {
		o.streams.close()
		return id, nil, wrap(ctx, "start "+b.spec.Group.String(), err)
	}
	if b.io.Terminal != nil {
		o.streams.helpers.Go(func() { o.resize(ctx, b.io.Terminal) })
	}
	return id, o, nil
}

// resize gives the container's terminal the size of the caller's, now and whenever that changes, until the streams are closed. The engine
// can do so for a container that runs only, so with engines before 23.0 a quick process sees another size first. What it refuses, that of a process that has just ended for one, is no concern.
func (o *oneOff) resize(ctx context.Context, t *runner.Terminal) {
	for size := t.Size; ; {
		if size.Columns > 0 && size.Rows > 0 {
			err := o.engine.client.ContainerResize(ctx, o.id, container.ResizeOptions{Width: uint(size.Columns), Height: uint(size.Rows)})
			if err != nil {
				o.engine.log.Debug("terminal not resized", "container", o.id, "err", err)
			}
		}
		var more bool
		select {
		case size, more = <-t.Resized:
			if !more {
				return
			}
		case <-o.streams.closed:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (o *oneOff) wait(ctx context.Context) (runner.Exit, error) {
	var end container.WaitResponse
	select {
	case err := <-o.failed:
		return runner.Exit{Code: -1}, wrap(ctx, "wait for "+o.id, err)
	case end = <-o.ended:
		if end.Error != nil {
			return runner.Exit{Code: -1}, fmt.Errorf("wait for %s: %s", o.id, end.Error.Message)
		}
	}
	if lost := o.streams.drain(); lost != nil {
		return o.exit(ctx, end), fmt.Errorf("%w: %w", runner.ErrOutput, lost)
	}
	return o.exit(ctx, end), nil
}

// exit is how the process has ended.
func (o *oneOff) exit(ctx context.Context, end container.WaitResponse) runner.Exit {
	got, err := o.engine.client.ContainerInspect(ctx, o.id)
	switch {
	case err == nil:
		return runner.Exit{Code: got.State.ExitCode, OOMKilled: oomKilled(got.State)}
	case !isNotFound(err): // else somebody else has removed it, who ended it
		o.engine.log.Warn("whether a process was out of memory is not known", "container", o.id, "err", err)
	}
	return runner.Exit{Code: int(end.StatusCode)}
}
