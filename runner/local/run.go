package local

import (
	"context"
	"errors"
	"fmt"

	"boathook/runner"
)

// Run is described by [runner.Engine]. A slow writer slows the process down. The process has a pipe or a terminal of boathook's, so it
// does not outlive boathook for long. If a writer fails, the process is killed.
func (e *Engine) Run(ctx context.Context, spec runner.Spec, with runner.IO) (runner.Exit, error) {
	end, err := e.begin(ctx)
	if err != nil {
		return runner.Exit{}, err
	}
	defer end()
	i, err := e.create(ctx, spec, max(spec.First, 1), true)
	if err != nil {
		return runner.Exit{}, fmt.Errorf("run %s: %w", spec.Group, err)
	}
	code, err := e.runOnce(ctx, i, with)
	left := e.remove(context.WithoutCancel(ctx), i, 0)
	if left != nil && err == nil {
		e.cfg.Log.Error("instance of a process that has ended not removed", "instance", i.rec.ID, "err", left)
	} else {
		err = errors.Join(err, left)
	}
	if err != nil {
		return runner.Exit{}, fmt.Errorf("run %s: %w", spec.Group, err)
	}
	return runner.Exit{Code: code}, nil
}

// runOnce runs a new instance to its end. Nothing of it runs when it returns.
func (e *Engine) runOnce(ctx context.Context, i *instance, with runner.IO) (code int, err error) {
	s, err := openStreams(with)
	if err != nil {
		e.watchOver(i, nil)
		<-i.busy
		return 0, err
	}
	defer s.close()
	err = e.ignite(i, &s.child)
	<-i.busy
	if err = errors.Join(err, s.started()); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.carry(cancel)
	code, err = e.await(ctx, i)
	err = errors.Join(err, s.interrupt())
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return 0, err
	}
	return code, s.drain()
}

// await waits until the instance has ended, and ends it if ctx or the engine does.
func (e *Engine) await(ctx context.Context, i *instance) (code int, err error) {
	select {
	case <-i.done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if p := e.running(i); p != nil {
		if err == nil {
			err = errClosed
		}
		err = errors.Join(err, p.kill())
		code, _ := p.wait(context.WithoutCancel(ctx))
		<-i.done
		if e.running(i) != nil { // the engine was closed, so nobody else has noted the end
			e.exited(i, code)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return i.rec.ExitCode, err
}
