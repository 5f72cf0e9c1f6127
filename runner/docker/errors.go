package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"boathook/runner"
)

// cleanupTime bounds what is done after a caller has gone: removing what it began.
const cleanupTime = 30 * time.Second

// wrap says what was done when err came, in the words of the contract: ctx's own error if it ended,
// runner.ErrUnavailable or runner.ErrNotFound where they apply.
func wrap(ctx context.Context, doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		// The client reports a passed deadline as a failed connection, so ctx has to be asked first.
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	case unreachable(err):
		return fmt.Errorf("%s: %w: %w", doing, runner.ErrUnavailable, err)
	case errdefs.IsNotFound(err):
		return fmt.Errorf("%s: %w: %w", doing, runner.ErrNotFound, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// unreachable tells that no answer came, or half of one: the engine is stopping, starting or away.
func unreachable(err error) bool {
	if client.IsErrConnectionFailed(err) || errdefs.IsUnavailable(err) {
		return true
	}
	for _, e := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// detached outlives ctx for a moment, for a step that must not be left half done.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
}
