package builder

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/docker/go-units"
)

const (
	launcherPath  = "/usr/local/bin/boathook-launch"
	containerPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	appUID        = 1000
)

// Labels of what builds make. A container inherits its image's labels, so the role of an image must not be that of a
// build container.
const (
	labelNamespace  = "boathook.namespace"
	labelApp        = "boathook.app"
	labelDeployment = "boathook.deployment"
	labelRole       = "boathook.role" // "build", "image" or "cache"
)

// dockerSandbox runs phases in a container of the stack image, as uid 1000 without capabilities.
//
//	/build/ID  the source, becomes /app      /tmp   anonymous volume: buildpacks, temporary files
//	/cache     volume of the app             /env   tmpfs
//
// No variable of the app is in its configuration: a commit would put it into the image.
type dockerSandbox struct {
	docker  *client.Client
	id      string // or its name; "" until it is to be made
	network string
	leave   func(context.Context) error // the network
	paths   layout
	tag     string // the image's name to be
	req     Request
	cfg     Config
}

// newDockerSandbox makes the container, copies the source in and starts it.
func (b *Build) newDockerSandbox(ctx context.Context, req Request, src *Source) (_ *dockerSandbox, err error) {
	stack, err := b.stackImage(ctx, req)
	if err != nil {
		return nil, err
	}
	s := &dockerSandbox{docker: b.cfg.Docker, tag: b.imageTag(req), req: req, cfg: b.cfg, paths: layout{
		build: "/build/" + req.Deployment, cache: "/cache", env: "/env", packs: "/tmp/buildpacks", tmp: "/tmp",
		path: containerPath, authorities: "/tmp/authorities.pem",
	}}
	if s.network, s.leave, err = b.join(ctx, req.App); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, discard(ctx, s))
		}
	}()
	if err := s.create(ctx, stack); err != nil {
		return nil, err
	}
	if err := s.fill(ctx, src); err != nil {
		return nil, fmt.Errorf("build container: %w", err)
	}
	if err := s.docker.ContainerStart(ctx, s.id, container.StartOptions{}); err != nil {
		return nil, fmt.Errorf("build container: %w", err)
	}
	return s, nil
}

// stackImage is the image that the container is made from.
func (b *Build) stackImage(ctx context.Context, req Request) (string, error) {
	if b.cfg.Stack != nil {
		return b.cfg.Stack(ctx, req.Out)
	}
	if b.cfg.StackImage == "" {
		return "", errors.New("builder: no stack image is configured")
	}
	return b.cfg.StackImage, nil
}

// create makes the container and the app's cache volume.
func (s *dockerSandbox) create(ctx context.Context, stack string) error {
	cache := cacheVolume(s.cfg.Namespace, s.req.App)
	if _, err := s.docker.VolumeCreate(ctx, volume.CreateOptions{Name: cache, Labels: s.labels("cache")}); err != nil {
		return fmt.Errorf("build cache: %w", err)
	}
	enabled, pids := true, s.cfg.Limits.PIDs
	config := &container.Config{
		Image: stack, User: fmt.Sprintf("%d:%d", appUID, appUID), WorkingDir: "/",
		Entrypoint: []string{"sleep"}, Cmd: []string{"2147483647"}, Env: []string{"HOME=/app"},
		Labels: s.labels("build"),
	}
	host := &container.HostConfig{
		Init: &enabled, CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"}, IpcMode: container.IPCModePrivate,
		NetworkMode: container.NetworkMode(s.network), ExtraHosts: s.cfg.ExtraHosts,
		Resources: container.Resources{
			Memory: s.cfg.Limits.Memory, MemorySwap: s.cfg.Limits.Memory, PidsLimit: &pids,
			Ulimits: []*units.Ulimit{{Name: "core"}}, // none: it would be in the image
		},
		Tmpfs: map[string]string{"/env": fmt.Sprintf("rw,nosuid,nodev,size=64m,mode=0700,uid=%d,gid=%d", appUID, appUID)},
		Mounts: []mount.Mount{
			{Type: mount.TypeVolume, Source: cache, Target: s.paths.cache},
			{Type: mount.TypeVolume, Target: s.paths.tmp},
		},
	}
	name := fmt.Sprintf("%s-build-%s-%s", s.cfg.Namespace, s.req.App, s.req.Deployment)
	s.id = name // which also removes it, should the engine's answer be lost
	// Not interrupted: the engine would go on and leave a container that nobody knows.
	whole, stop := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer stop()
	made, err := s.docker.ContainerCreate(whole, config, host, nil, nil, name)
	if err != nil {
		return fmt.Errorf("build container: %w", err)
	}
	s.id = made.ID
	return nil
}

func (s *dockerSandbox) labels(role string) map[string]string {
	l := map[string]string{labelNamespace: s.cfg.Namespace, labelApp: s.req.App, labelRole: role, stackLabel: ""} // no stack, though made from one
	if role != "cache" {
		l[labelDeployment] = s.req.Deployment
	}
	return l
}

// fill copies the directories, the launcher and the source into the container before it is started, as one archive.
func (s *dockerSandbox) fill(ctx context.Context, src *Source) error {
	skeleton, err := s.skeleton()
	if err != nil {
		return err
	}
	stream, err := src.Open(ctx, TarOptions{Prefix: strings.TrimPrefix(s.paths.build, "/"), UID: appUID})
	if err != nil {
		return err
	}
	err = s.docker.CopyToContainer(ctx, s.id, "/", io.MultiReader(skeleton, stream), container.CopyToContainerOptions{})
	return errors.Join(err, stream.Close())
}

// skeleton is the beginning of a tar, what every build container has. The launcher is root's, so that no build can change it.
func (s *dockerSandbox) skeleton() (*bytes.Buffer, error) {
	var buf bytes.Buffer
	t := tar.NewWriter(&buf)
	files := []struct {
		name string
		mode int64
		uid  int
		data []byte
	}{
		{"build/", 0o755, 0, nil},
		{strings.TrimPrefix(s.paths.build, "/") + "/", 0o755, appUID, nil},
		{"app/", 0o755, appUID, nil},
		{"cache/", 0o755, appUID, nil},
		{"tmp/", 0o1777, 0, nil},
		{strings.TrimPrefix(launcherPath, "/"), 0o755, 0, launcher("/bin/bash")},
	}
	if s.cfg.CAFile != "" {
		pem, err := os.ReadFile(s.cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("certificate authorities: %w", err)
		}
		files = append(files, files[0])
		last := &files[len(files)-1]
		last.name, last.mode, last.data = strings.TrimPrefix(s.paths.authorities, "/"), 0o644, pem
	}
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: f.mode, Uid: f.uid, Gid: f.uid, Size: int64(len(f.data)), ModTime: time.Now()}
		if err := t.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := t.Write(f.data); err != nil {
			return nil, err
		}
	}
	return &buf, t.Flush() // another one follows
}

func (s *dockerSandbox) layout() layout { return s.paths }

// outOfMemory reads the kernel's count of kills in the container's own cgroup, version 1 or 2.
func (s *dockerSandbox) outOfMemory(ctx context.Context) bool {
	var out bytes.Buffer
	const counters = `cat /sys/fs/cgroup/memory/memory.oom_control /sys/fs/cgroup/memory.events 2>/dev/null; :`
	if err := shell(ctx, s, counters, nil, &out); err != nil {
		return s.killedByMemory(ctx)
	}
	for lines := bufio.NewScanner(&out); lines.Scan(); {
		if count, ok := strings.CutPrefix(lines.Text(), "oom_kill "); ok && count != "0" {
			return true
		}
	}
	return false
}

// killedByMemory tells whether the container as a whole ended so.
func (s *dockerSandbox) killedByMemory(ctx context.Context) bool {
	info, err := s.docker.ContainerInspect(ctx, s.id)
	return err == nil && info.State != nil && info.State.OOMKilled
}

// size is that of the container's own layer.
func (s *dockerSandbox) size(ctx context.Context) (int64, error) {
	info, _, err := s.docker.ContainerInspectWithRaw(ctx, s.id, true)
	if err != nil || info.SizeRw == nil {
		return 0, err
	}
	return *info.SizeRw, nil
}

// discard kills and removes the container with its anonymous volume, and then leaves the network.
func (s *dockerSandbox) discard(ctx context.Context) error {
	if err := s.remove(ctx); err != nil {
		return err
	}
	return s.leave(ctx)
}

func (s *dockerSandbox) remove(ctx context.Context) error {
	if s.id == "" {
		return nil
	}
	err := s.docker.ContainerRemove(ctx, s.id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if cerrdefs.IsConflict(err) { // the engine is removing it, for a boathook that died meanwhile
		err = s.waitRemoved(ctx)
	}
	if err != nil && !cerrdefs.IsNotFound(err) {
		return fmt.Errorf("remove build container: %w", err)
	}
	return nil
}

func (s *dockerSandbox) waitRemoved(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, cleanupTime)
	defer stop()
	removed, failed := s.docker.ContainerWait(ctx, s.id, container.WaitConditionRemoved)
	select {
	case <-removed:
		return nil
	case err := <-failed:
		return err
	}
}

func cacheVolume(namespace, app string) string { return namespace + "-cache-" + app }

// removeCacheVolume implements DeleteCache.
func (b *Build) removeCacheVolume(ctx context.Context, app string) error {
	err := b.cfg.Docker.VolumeRemove(ctx, cacheVolume(b.cfg.Namespace, app), false)
	if err != nil && !cerrdefs.IsNotFound(err) {
		return fmt.Errorf("delete cache: %w", err)
	}
	return nil
}

// Sweep removes what builds of a process that died have left: containers, or directories. Call it before the first
// Build. A container that cannot be removed is told to the log: the apps must be served all the same.
func (b *Build) Sweep(ctx context.Context) error {
	for _, sub := range []string{"builds", "scratch"} {
		dir := filepath.Join(b.cfg.Dir, sub)
		if err := errors.Join(removeTree(dir), os.Mkdir(dir, 0o700)); err != nil {
			return fmt.Errorf("sweep builds: %w", err)
		}
	}
	if b.cfg.Docker == nil {
		return nil
	}
	args := filters.NewArgs(
		filters.Arg("label", labelNamespace+"="+b.cfg.Namespace), filters.Arg("label", labelRole+"=build"))
	list, err := b.cfg.Docker.ContainerList(ctx, container.ListOptions{All: true, Filters: args})
	if err != nil {
		return fmt.Errorf("sweep builds: %w", err)
	}
	for _, c := range list {
		old := &dockerSandbox{docker: b.cfg.Docker, id: c.ID}
		if err := old.remove(ctx); err != nil {
			b.cfg.Log.Error("container of a dead build not removed", "container", c.ID, "err", err)
		}
	}
	return nil
}
