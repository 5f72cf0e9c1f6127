package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"boathook/runner"
)

const (
	// pipeSize bounds what a pipe can hold, in bytes: what a process without privileges may ask for, pipe(7).
	pipeSize = 1 << 20
	// pipeWait is how long a read of what lies in a pipe may take. It is there already.
	pipeWait = 100 * time.Millisecond
)

// Run is described by [runner.Engine]. A slow out slows the process down. The process has a pipe to boathook, so it
// does not outlive boathook for long. If out fails, the process is killed.
func (e *Engine) Run(ctx context.Context, spec runner.Spec, out io.Writer) (runner.Exit, error) {
	end, err := e.begin(ctx)
	if err != nil {
		return runner.Exit{}, err
	}
	defer end()
	i, err := e.create(ctx, spec, max(spec.First, 1), true)
	if err != nil {
		return runner.Exit{}, fmt.Errorf("run %s: %w", spec.Group, err)
	}
	code, err := e.runOnce(ctx, i, out)
	err = errors.Join(err, e.remove(context.WithoutCancel(ctx), i, 0))
	if err != nil {
		return runner.Exit{}, fmt.Errorf("run %s: %w", spec.Group, err)
	}
	return runner.Exit{Code: code}, nil
}

// runOnce runs a new instance to its end. Nothing of it runs when it returns.
func (e *Engine) runOnce(ctx context.Context, i *instance, out io.Writer) (code int, err error) {
	kept, err := i.out.open()
	if err != nil {
		e.watchOver(i, nil)
		<-i.busy
		return 0, err
	}
	defer kept.Close()
	r, w, err := os.Pipe()
	if err != nil {
		e.watchOver(i, nil)
		<-i.busy
		return 0, err
	}
	defer r.Close()
	err = e.ignite(i, w)
	<-i.busy
	if err = errors.Join(err, w.Close()); err != nil {
		return 0, err
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	both := io.MultiWriter(kept, out)
	var copying sync.WaitGroup
	copying.Go(func() {
		if _, err := io.Copy(both, r); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			cancel(fmt.Errorf("output: %w", err))
		}
	})
	code, err = e.await(ctx, i)
	// The process has ended; what escaped it may hold the pipe open, and go on writing.
	err = errors.Join(err, r.SetReadDeadline(time.Now()))
	copying.Wait()
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return 0, err
	}
	return code, drain(both, r)
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

// drain copies what lies in a pipe, at most as much as it can hold.
func drain(w io.Writer, r *os.File) error {
	buf := make([]byte, 32<<10)
	for left := pipeSize; left > 0; {
		if err := r.SetReadDeadline(time.Now().Add(pipeWait)); err != nil {
			return err
		}
		n, err := r.Read(buf)
		left -= n
		if _, err := w.Write(buf[:n]); err != nil {
			return fmt.Errorf("output: %w", err)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("output: %w", err)
		}
	}
	return nil
}
