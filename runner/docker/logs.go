package docker

import (
	"context"
	"io"
	"strconv"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"boathook/runner"
)

// Logs writes what the engine keeps of the instance's stdout and stderr, in the order in which it came.
func (e *Engine) Logs(ctx context.Context, id string, opt runner.LogOptions, w io.Writer) error {
	instance, err := e.instance(ctx, id)
	if err != nil {
		return err
	}
	tail := "all"
	if opt.Tail > 0 {
		tail = strconv.Itoa(opt.Tail)
	}
	stream, err := e.client.ContainerLogs(ctx, instance.ID, container.LogsOptions{
		ShowStdout: true, ShowStderr: true, Tail: tail,
	})
	if err != nil {
		return wrap(ctx, "logs of "+id, err)
	}
	_, err = stdcopy.StdCopy(w, w, stream)
	if closeErr := stream.Close(); err == nil {
		err = closeErr
	}
	return wrap(ctx, "logs of "+id, err)
}
