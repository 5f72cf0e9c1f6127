package builder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// execPoll is how often a running command is looked at, and execLinger how long its output is waited for once it has
// ended: what it left in the background may hold the output open for ever.
const (
	execPoll   = 500 * time.Millisecond
	execLinger = 2 * time.Second
)

// exec runs c as the container's user.
func (s *dockerSandbox) exec(ctx context.Context, c command) (int, error) {
	return s.execAs(ctx, fmt.Sprintf("%d:%d", appUID, appUID), c)
}

func (s *dockerSandbox) execAs(ctx context.Context, user string, c command) (int, error) {
	made, err := s.docker.ContainerExecCreate(ctx, s.id, container.ExecOptions{
		User: user, Cmd: c.argv, Env: c.env, WorkingDir: c.dir,
		AttachStdin: c.stdin != nil, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return 0, s.execError(ctx, err)
	}
	conn, err := s.docker.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{})
	if err != nil {
		return 0, s.execError(ctx, err)
	}
	if err := s.stream(ctx, made.ID, conn, c); err != nil {
		return 0, s.execError(ctx, err)
	}
	info, err := s.docker.ContainerExecInspect(ctx, made.ID)
	if err != nil {
		return 0, s.execError(ctx, err)
	}
	return info.ExitCode, nil
}

// stream copies both ways until the output ends, the command has ended for execLinger, or ctx has ended. It closes
// conn and waits for its goroutines.
func (s *dockerSandbox) stream(ctx context.Context, id string, conn types.HijackedResponse, c command) error {
	input, output := make(chan error, 1), make(chan error, 1)
	go func() {
		var err error
		if c.stdin != nil {
			_, err = io.Copy(conn.Conn, c.stdin)
			err = errors.Join(err, conn.CloseWrite())
		}
		input <- err
	}()
	go func() {
		_, err := stdcopy.StdCopy(orDiscard(c.stdout), orDiscard(c.stderr), conn.Reader)
		output <- err
	}()
	err := s.waitOutput(ctx, id, output)
	conn.Close()
	// A command may end without having read its input; what counts is its exit status. The reader of the input is
	// a buffer or a stream that ends with its own context.
	<-input
	return err
}

func (s *dockerSandbox) waitOutput(ctx context.Context, id string, output <-chan error) error {
	tick := time.NewTicker(execPoll)
	defer tick.Stop()
	var linger <-chan time.Time
	for {
		select {
		case err := <-output:
			return err
		case <-linger:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			info, err := s.docker.ContainerExecInspect(ctx, id)
			if err == nil && !info.Running && linger == nil {
				linger = time.After(execLinger)
			}
		}
	}
}

// execError prefers the reason why ctx ended, then that the container ran out of memory.
func (s *dockerSandbox) execError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("build container: %w", context.Cause(ctx))
	}
	if s.killedByMemory(ctx) {
		return &Failure{Summary: "The build ran out of memory", Err: err}
	}
	return fmt.Errorf("build container: %w", err)
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}
