package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"
)

// commitTime bounds a commit: 2 GiB at the speed of a slow disk.
const commitTime = 5 * time.Minute

// finish renames the build directory to /app and commits the container.
func (s *dockerSandbox) finish(ctx context.Context, types map[string]string) (Image, error) {
	if err := s.moveApp(ctx); err != nil {
		return Image{}, err
	}
	ref, err := s.commit(ctx, types)
	if err != nil {
		return Image{}, err
	}
	info, err := s.docker.ImageInspect(context.WithoutCancel(ctx), ref)
	if err != nil {
		return Image{}, errors.Join(fmt.Errorf("image: %w", err), removeImage(context.WithoutCancel(ctx), s.docker, ref))
	}
	return Image{Ref: ref, Launcher: []string{launcherPath}, Size: info.Size}, nil
}

// moveApp needs three steps as nobody in the container has a capability: the owner empties /app and lets root write
// to the directory (a rename to another parent changes its ".."), root, who owns / and /build, renames, and the owner
// takes the permission back.
func (s *dockerSandbox) moveApp(ctx context.Context) error {
	steps := []struct{ user, script string }{
		{"1000:1000", `chmod -R u+rwX /app && find /app -mindepth 1 -maxdepth 1 -exec rm -rf {} + && chmod 0777 "$1"`},
		{"0:0", `rmdir /app && mv "$1" /app`},
		{"1000:1000", `chmod 0755 /app`},
	}
	for _, step := range steps {
		var said bytes.Buffer
		code, err := s.execAs(ctx, step.user, command{
			argv: []string{"bash", "-c", step.script, "boathook", s.paths.build},
			dir:  "/", env: []string{"PATH=" + containerPath}, stderr: limitWriter(&said, 1024),
		})
		if err != nil {
			return err
		}
		if code != 0 {
			return fmt.Errorf("move the build to /app: exit status %d: %s", code, bytes.TrimSpace(said.Bytes()))
		}
	}
	return nil
}

// commit makes the image; it is not interrupted, as the engine would go on and leave an image that nobody knows. Its configuration is complete: what it left out, the engine would take from the container.
func (s *dockerSandbox) commit(ctx context.Context, types map[string]string) (string, error) {
	start := types["web"]
	if start == "" {
		start = "exec bash"
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer stop()
	made, err := s.docker.ContainerCommit(ctx, s.id, container.CommitOptions{
		Pause: true, Reference: s.tag,
		Config: &container.Config{
			User: fmt.Sprintf("%d:%d", appUID, appUID), WorkingDir: "/app",
			Env:        []string{"PATH=" + containerPath, "HOME=/app"},
			Entrypoint: []string{launcherPath}, Cmd: []string{start}, Labels: s.labels("image"),
		},
	})
	if err != nil {
		return "", s.execError(ctx, err)
	}
	return made.ID, nil
}
