package builder

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
)

// fakeEngine is a client that is never asked anything: it only says "builds in containers".
func fakeEngine() *client.Client { return &client.Client{} }

func dockerSite(t *testing.T, change func(*Config)) *site {
	docker := engine(t)
	namespace := fmt.Sprintf("test-builder-%d-%d", os.Getpid(), time.Now().UnixNano())
	cfg := Config{Dir: t.TempDir(), Docker: docker, Namespace: namespace, StackImage: tinyStack(t, docker, namespace), Network: "none"}
	if change != nil {
		change(&cfg)
	}
	s := &site{Build: newBuild(t, cfg), kind: "docker", cfg: cfg}
	own := filters.NewArgs(filters.Arg("label", labelNamespace+"="+namespace))
	s.run = func(t *testing.T, img Image, command string, env map[string]string) string {
		t.Helper()
		return runImage(t, docker, img, command, env)
	}
	s.left = func(t *testing.T) []string {
		t.Helper()
		return leftovers(t, docker, own)
	}
	t.Cleanup(func() {
		volumes, err := docker.VolumeList(context.Background(), volume.ListOptions{Filters: own})
		if err != nil {
			t.Error(err)
		}
		for _, v := range volumes.Volumes {
			if err := docker.VolumeRemove(context.Background(), v.Name, false); err != nil {
				t.Error(err)
			}
		}
	})
	return s
}

// leftovers lists build containers.
func leftovers(t *testing.T, docker *client.Client, own filters.Args) []string {
	t.Helper()
	list, err := docker.ContainerList(t.Context(), container.ListOptions{All: true, Filters: own})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, c := range list {
		found = append(found, c.Names...)
	}
	return found
}

// tinyStack makes a stack image and removes it after the test.
func tinyStack(t *testing.T, docker *client.Client, namespace string) string {
	t.Helper()
	var out bytes.Buffer
	ref, err := (&Stacks{Docker: docker, Namespace: namespace}).EnsureTiny(t.Context(), &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	t.Cleanup(func() {
		if err := removeImage(context.Background(), docker, ref); err != nil {
			t.Error(err)
		}
	})
	return ref
}

// runImage runs a command in a container of the image, through its launcher, and returns the output.
func runImage(t *testing.T, docker *client.Client, img Image, command string, env map[string]string) string {
	t.Helper()
	config := &container.Config{Image: img.Ref, Entrypoint: img.Launcher, Cmd: []string{command}}
	for name, value := range env {
		config.Env = append(config.Env, name+"="+value)
	}
	made, err := docker.ContainerCreate(t.Context(), config, &container.HostConfig{NetworkMode: "none", CapDrop: []string{"ALL"}}, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	defer docker.ContainerRemove(context.Background(), made.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if err := docker.ContainerStart(t.Context(), made.ID, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	done, failed := docker.ContainerWait(t.Context(), made.ID, container.WaitConditionNotRunning)
	select {
	case <-done:
	case err := <-failed:
		t.Fatal(err)
	}
	logs, err := docker.ContainerLogs(t.Context(), made.ID, container.LogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		t.Fatal(err)
	}
	defer logs.Close()
	var out bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &out, logs); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String())
}

func TestImageHoldsNoVariableOfTheApp(t *testing.T) {
	s := dockerSite(t, local)
	bp := newPack(t, map[string]string{"bin/compile": `cat $3/TOKEN; echo`})
	img, _ := s.mustBuild(t, newRepo(t, map[string]string{"Procfile": "web: x"}),
		map[string]string{"TOKEN": "s3cr3t-t0ken", "BUILDPACK_URL": bp.url()})
	archive, err := s.cfg.Docker.ImageSave(t.Context(), []string{img.Ref})
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	data, err := io.ReadAll(archive)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte("s3cr3t-t0ken")) {
		t.Error("the image holds the value of TOKEN")
	}
	info, err := s.cfg.Docker.ImageInspect(t.Context(), img.Ref)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(info.Config.User, info.Config.WorkingDir, info.Config.Entrypoint, info.Config.Cmd, info.Config.Env, info.Config.Volumes, info.Config.Labels[labelRole])
	want := "1000:1000/app[/usr/local/bin/boathook-launch] [x] [PATH=" + containerPath + " HOME=/app LANG=C.UTF-8] map[]image"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := runImage(t, s.cfg.Docker, img, "stat -c '%u %a' /app /app/Procfile /usr/local/bin/boathook-launch; ls /build /env /tmp /cache", nil); got !=
		"1000 755\n1000 644\n0 755\n/build:\n\n/cache:\n\n/env:\n\n/tmp:" {
		t.Errorf("got %q", got)
	}
}

func TestBuildContainerIsConfined(t *testing.T) {
	s := dockerSite(t, local)
	bp := newPack(t, map[string]string{"bin/compile": `grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status | tr -d '\t\n'; echo; id -u
[ ! -e /var/run/docker.sock ] && ! touch /usr/local/bin/boathook-launch 2>/dev/null && echo confined; touch /app/x /tmp/y`})
	_, out := s.mustBuild(t, newRepo(t, map[string]string{"Procfile": "web: x"}), map[string]string{"BUILDPACK_URL": bp.url()})
	contains(t, out, "CapEff:0000000000000000CapBnd:0000000000000000NoNewPrivs:1\n1000\nconfined\n")
}

func TestOutOfMemoryIsTold(t *testing.T) {
	s := dockerSite(t, func(cfg *Config) { cfg.LocalURLs, cfg.Limits.Memory = true, 32<<20 })
	bp := newPack(t, map[string]string{"bin/compile": `x=0123456789abcdef; while :; do x=$x$x; done`})
	out := s.mustFail(t, newRepo(t, map[string]string{"Procfile": "web: x"}), map[string]string{"BUILDPACK_URL": bp.url()}, "The build ran out of memory")
	contains(t, out, " !     The build used more than its 32 MB of memory\n")
}

func TestSweepRemovesOnlyBuildContainers(t *testing.T) {
	s := dockerSite(t, nil)
	img, _ := s.mustBuild(t, newRepo(t, map[string]string{"Procfile": "web: x"}), nil)
	running, err := s.cfg.Docker.ContainerCreate(t.Context(), &container.Config{Image: img.Ref}, nil, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.cfg.Docker.ContainerRemove(context.Background(), running.ID, container.RemoveOptions{Force: true})
	old := &dockerSandbox{docker: s.cfg.Docker, cfg: s.Build.cfg, req: Request{App: "my-app", Deployment: "1"}, paths: layout{cache: "/cache", tmp: "/tmp"}}
	if err := old.create(t.Context(), s.cfg.StackImage); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.cfg.Docker.ContainerInspect(t.Context(), old.id); err == nil {
		t.Error("the build container is still there")
	}
	if _, err := s.cfg.Docker.ContainerInspect(t.Context(), running.ID); err != nil {
		t.Errorf("a container of the app is gone: %v", err)
	}
}
