package gitpack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

var errIdle = errors.New("the client has sent nothing for too long")

// upload reads a client's input with a time-out on silence. A goroutine reads ahead by one buffer; it ends with stop,
// or, if it is waiting for the client then, with the session that owns the input.
type upload struct {
	ctx     context.Context
	full    chan []byte
	empty   chan []byte
	stopped chan struct{}
	idle    time.Duration
	timer   *time.Timer
	buffer  []byte // the one that left is a part of
	left    []byte
	err     error // how the input ended; set before full is closed
}

const uploadBuffer = 64 << 10

func startUpload(ctx context.Context, r io.Reader, idle time.Duration) *upload {
	u := &upload{ctx: ctx, full: make(chan []byte), empty: make(chan []byte, 2), stopped: make(chan struct{}), idle: idle}
	u.empty <- make([]byte, uploadBuffer)
	u.empty <- make([]byte, uploadBuffer)
	u.timer = time.NewTimer(idle)
	go u.pump(r)
	return u
}

func (u *upload) stop() {
	u.timer.Stop()
	close(u.stopped)
}

func (u *upload) pump(r io.Reader) {
	defer close(u.full)
	for {
		var buffer []byte
		select {
		case buffer = <-u.empty:
		case <-u.stopped:
			return
		}
		n, err := r.Read(buffer[:uploadBuffer])
		if n > 0 {
			select {
			case u.full <- buffer[:n]:
			case <-u.stopped:
				return
			}
		} else {
			u.empty <- buffer
		}
		if err != nil {
			u.err = err
			return
		}
	}
}

func (u *upload) Read(p []byte) (int, error) {
	if len(u.left) == 0 {
		if u.buffer != nil {
			u.empty <- u.buffer
			u.buffer = nil
		}
		u.timer.Reset(u.idle)
		select {
		case buffer, ok := <-u.full:
			if !ok {
				return 0, u.err
			}
			u.buffer, u.left = buffer, buffer
		case <-u.timer.C:
			return 0, errIdle
		case <-u.ctx.Done():
			return 0, context.Cause(u.ctx)
		}
	}
	n := copy(p, u.left)
	u.left = u.left[n:]
	return n, nil
}

// drain reads a pack that nobody wants, so that the client, busy sending it, comes to read the report: to its end, to a
// pause (a client that does not half-close waits for us), to the limit, or until its ctx ends.
func (u *upload) drain(limit int64, pause time.Duration) {
	u.idle = pause
	io.Copy(io.Discard, io.LimitReader(u, limit)) //nolint:errcheck // any end will do
}

// UploadPack serves a clone or a fetch, as git upload-pack does, and returns the exit status.
func (r *Repos) UploadPack(ctx context.Context, app string, stdin io.Reader, stdout, stderr io.Writer) (exit int) {
	if !appName.MatchString(app) {
		r.log.Warn("clone", "app", app, "err", ErrName)
		return 128
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Through a pipe of ours: the process is waited for, not the client's end of input.
	out, progress := startStream(stdout, r.limits, false, cancel), startStream(stderr, r.limits, false, cancel)
	cmd := r.command(ctx, child{args: []string{"upload-pack", "--strict", r.Path(app)}, stdout: plain{out}, stderr: plain{progress}})
	err := r.feed(ctx, cmd, stdin)
	if err = errors.Join(err, out.close(), progress.close()); err == nil {
		return 0
	}
	if ctx.Err() == nil {
		r.log.Info("clone", "app", app, "err", err)
	}
	return 128
}

// feed runs cmd with input from a reader that may never end.
func (r *Repos) feed(ctx context.Context, cmd *exec.Cmd, input io.Reader) error {
	reads, stopReads := context.WithCancel(ctx)
	defer stopReads()
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("git: %w", err)
	}
	if err := r.start(cmd); err != nil {
		return fmt.Errorf("git: %w", err)
	}
	in := startUpload(reads, input, r.limits.Idle)
	defer in.stop()
	return in.into(cmd, pipe, stopReads)
}

// into copies to a started process until either ends, and waits for both.
func (u *upload) into(cmd *exec.Cmd, pipe io.WriteCloser, stopReads func()) error {
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(pipe, u)
		if closeErr := pipe.Close(); err == nil {
			err = closeErr
		}
		copied <- err
	}()
	err := cmd.Wait()
	stopReads()
	copyErr := <-copied
	if err != nil && errors.Is(copyErr, errIdle) {
		return errIdle
	}
	return err
}
