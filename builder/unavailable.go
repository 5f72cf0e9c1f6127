package builder

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"
)

// ErrUnavailable means that the engine did not answer, or not to the end: it is stopping, starting or away. The build can be tried
// again.
var ErrUnavailable = errors.New("the engine cannot be reached")

// unavailable wraps ErrUnavailable where that is what err comes from.
func unavailable(err error) error {
	if client.IsErrConnectionFailed(err) || errdefs.IsUnavailable(err) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	for _, broken := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, broken) {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	return err
}
