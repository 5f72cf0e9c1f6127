package docker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"boathook/runner"
)

// drainTime is how long Run waits for more output of a process that has ended.
const drainTime = time.Second

// Run runs one container to its end. If out fails, the rest of the output is thrown away and the process goes on.
// Run does not return while out.Write blocks.
func (e *Engine) Run(ctx context.Context, spec runner.Spec, out io.Writer) (exit runner.Exit, err error) {
	if err := checkSpec(spec); err != nil {
		return runner.Exit{Code: -1}, err
	}
	call := rand.Text()
	var once *oneOff
	defer func() {
		// First the process, whatever out does; then the goroutine that may be waiting for out.
		err = errors.Join(err, e.undo(ctx, spec.App, call))
		if once != nil {
			once.output.close()
		}
	}()
	b, release, err := e.prepare(ctx, spec, call, true)
	if err != nil {
		return runner.Exit{Code: -1}, err
	}
	once, err = e.launch(ctx, b, out)
	release()
	if err != nil {
		return runner.Exit{Code: -1}, err
	}
	return once.wait(ctx)
}

// oneOff is a container that Run has started.
type oneOff struct {
	engine *Engine
	id     string
	ended  <-chan container.WaitResponse
	failed <-chan error
	output *output
}

// launch attaches and begins to wait before it starts the container, so that neither the first byte nor a quick
// end is missed.
func (e *Engine) launch(ctx context.Context, b blueprint, out io.Writer) (*oneOff, error) {
	id, err := e.create(ctx, b, max(b.spec.First, 1))
	if err != nil {
		return nil, err
	}
	attached, err := e.client.ContainerAttach(ctx, id, container.AttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return nil, wrap(ctx, "attach to "+id, err)
	}
	o := &oneOff{engine: e, id: id, output: e.copyOutput(attached.Conn, attached.Reader, out)}
	o.ended, o.failed = e.client.ContainerWait(ctx, id, container.WaitConditionNextExit)
	if err := e.client.ContainerStart(ctx, id, container.StartOptions{}); err != nil {
		o.output.close()
		return nil, wrap(ctx, "start "+b.spec.Group.String(), err)
	}
	return o, nil
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
	o.output.drain()
	got, err := o.engine.client.ContainerInspect(ctx, o.id)
	if isNotFound(err) { // removed by somebody else, who ended it
		return runner.Exit{Code: int(end.StatusCode)}, nil
	}
	if err != nil {
		return runner.Exit{Code: -1}, wrap(ctx, "inspect "+o.id, err)
	}
	return runner.Exit{Code: got.State.ExitCode, OOMKilled: oomKilled(got.State)}, nil
}

// output copies an attached stream in a goroutine that ends with the stream, with close, or after drain.
type output struct {
	conn   net.Conn
	reader io.Reader
	ended  atomic.Bool // the process has ended: no read may block for long
	done   chan struct{}
}

func (e *Engine) copyOutput(conn net.Conn, reader io.Reader, out io.Writer) *output {
	o := &output{conn: conn, reader: reader, done: make(chan struct{})}
	go func() {
		defer close(o.done)
		to := &lenient{w: out}
		if _, err := stdcopy.StdCopy(to, to, o); err != nil && !o.ended.Load() {
			e.log.Debug("output ended early", "err", err)
		}
		if to.err != nil {
			e.log.Warn("output of a one-off not taken", "err", to.err)
		}
	}()
	return o
}

func (o *output) Read(p []byte) (int, error) {
	if o.ended.Load() {
		if err := o.conn.SetReadDeadline(time.Now().Add(drainTime)); err != nil {
			return 0, err
		}
	}
	return o.reader.Read(p)
}

// drain waits until everything is copied that was written before the end.
func (o *output) drain() {
	o.ended.Store(true)
	if err := o.conn.SetReadDeadline(time.Now().Add(drainTime)); err != nil {
		o.close()
	}
	<-o.done
}

// close ends the copying and waits for it. The error of a connection that is only read from says nothing.
func (o *output) close() {
	o.ended.Store(true)
	_ = o.conn.Close()
	<-o.done
}

// lenient remembers the first error of w and takes everything after it.
type lenient struct {
	w   io.Writer
	err error
}

func (l *lenient) Write(p []byte) (int, error) {
	if l.err == nil {
		_, l.err = l.w.Write(p)
	}
	return len(p), nil
}
