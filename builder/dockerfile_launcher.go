package builder

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// launcher looks for a shell in the image: bash, else sh, else none. It looks by a container that is never started,
// and only if a process type has a command that needs one.
func (d *dockerfileBuild) launcher(ctx context.Context, id string, types map[string]string) (launcher []string, err error) {
	commands := false
	for _, command := range types {
		commands = commands || command != ""
	}
	if !commands {
		return nil, nil
	}
	labels := d.imageLabels(d.req)
	labels[labelRole] = "build"
	made, err := d.cfg.Docker.ContainerCreate(ctx, &container.Config{
		Image: id, Entrypoint: []string{"/never-started"}, NetworkDisabled: true, Labels: labels,
	}, nil, nil, nil, "")
	if err != nil {
		return nil, fmt.Errorf("look for a shell: %w", err)
	}
	defer func() {
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer stop()
		err = errors.Join(err, d.cfg.Docker.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}))
	}()
	for _, shell := range []string{"/bin/bash", "/bin/sh"} {
		_, err := d.cfg.Docker.ContainerStatPath(ctx, made.ID, shell)
		if err == nil {
			return []string{shell, "-c"}, nil
		}
		if !errdefs.IsNotFound(err) {
			return nil, fmt.Errorf("look for a shell: %w", err)
		}
	}
	return nil, nil
}
