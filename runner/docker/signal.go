package docker

import (
	"context"
	"fmt"

	"github.com/containerd/errdefs"

	"boathook/runner"
)

// Signal is described by [runner.Engine]. The engine takes any signal for somebody's wish to stop the container: from then on "unless-stopped"
// does not restart it when it ends.
func (e *Engine) Signal(ctx context.Context, id, signal string) error {
	instance, err := e.instance(ctx, id)
	if err != nil {
		return err
	}
	if instance.Phase != runner.Running {
		return notRunning(id)
	}
	err = e.client.ContainerKill(ctx, instance.ID, "SIG"+signal)
	if errdefs.IsConflict(err) { // it has ended meanwhile
		return notRunning(id)
	}
	return wrap(ctx, "send "+signal+" to "+id, err)
}

func notRunning(id string) error { return fmt.Errorf("%s does not run: %w", id, runner.ErrNotFound) }
