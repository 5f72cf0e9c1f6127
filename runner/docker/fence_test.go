package docker_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"boathook/runner"
	"boathook/runner/docker"
)

// patience bounds every wait.
const patience = time.Minute

func spec(app, typ, command string) runner.Spec {
	return runner.Spec{
		Group:    runner.Group{App: app, Release: "1", Type: typ},
		Image:    tinyImage,
		Argv:     []string{"/bin/bash", "-c", command},
		Replicas: 1,
	}
}

// scene is an engine whose containers are removed after the test.
func scene(t *testing.T, c *client.Client) (*docker.Engine, string) {
	t.Helper()
	e, namespace := newEngine(t, c)
	removeAfter(t, e)
	return e, namespace
}

// configured is a scene with other settings than the usual ones.
func configured(t *testing.T, cfg docker.Config) *docker.Engine {
	t.Helper()
	cfg.Namespace = "test-" + strings.ToLower(rand.Text()[:12])
	e, err := docker.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	removeAfter(t, e)
	return e
}

func removeAfter(t *testing.T, e *docker.Engine) {
	t.Helper()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := errors.Join(e.Remove(ctx, runner.Selector{}, 0), e.Close()); err != nil {
			t.Error(err)
		}
	})
}

func run(t *testing.T, e *docker.Engine, spec runner.Spec) (runner.Exit, string) {
	t.Helper()
	var out bytes.Buffer
	exit, err := e.Run(t.Context(), spec, runner.IO{Out: &out})
	if err != nil {
		t.Fatal(err)
	}
	return exit, out.String()
}

func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	end := time.After(patience)
	for !ok() {
		select {
		case <-end:
			t.Fatalf("not in time: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestPrivileges asks the kernel, from inside, what a process may do.
func TestPrivileges(t *testing.T) {
	e, _ := scene(t, connect(t))
	for _, command := range []string{"exec cat /proc/self/status", "exec /bin/busybox-suid cat /proc/self/status"} {
		_, out := run(t, e, spec("fenced", "web", command))
		status := map[string]string{}
		for line := range strings.Lines(out) {
			name, value, _ := strings.Cut(line, ":")
			status[name] = strings.Join(strings.Fields(value), " ")
		}
		for name, want := range map[string]string{
			"Uid": "1000 1000 1000 1000", "Gid": "1000 1000 1000 1000", "NoNewPrivs": "1",
			"CapInh": "0000000000000000", "CapPrm": "0000000000000000", "CapEff": "0000000000000000",
			"CapBnd": "0000000000000000", "CapAmb": "0000000000000000", "Seccomp": "2", // a filter
		} {
			if status[name] != want {
				t.Errorf("%s: %s is %q, want %q", command, name, status[name], want)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	c := connect(t)
	e, _ := scene(t, c)
	s := spec("limited", "web", "exec sleep 300")
	s.Limits = runner.Limits{Memory: 256 << 20, PIDs: 128, CPU: 512}
	started, err := e.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.ContainerInspect(t.Context(), started[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	r := got.HostConfig.Resources
	if r.Memory != 256<<20 || r.MemorySwap != r.Memory || r.PidsLimit == nil || *r.PidsLimit != 128 || r.CPUShares != 512 {
		t.Errorf("limits %+v", r)
	}
	if got.Config.Hostname != "limited-web-1" || got.HostConfig.RestartPolicy.Name != "no" {
		t.Errorf("hostname %q, restart policy %q", got.Config.Hostname, got.HostConfig.RestartPolicy.Name)
	}
	if _, out := run(t, e, spec("limited", "postdeploy", "ulimit -n")); out != "16384\n" {
		t.Errorf("open files %q", out)
	}
}

// TestAppsApart dials a listening container from its own app, which works, and from another one.
func TestAppsApart(t *testing.T) {
	needRoot(t)
	e, _ := scene(t, connect(t))
	s := spec("one", "web", `httpd -f -p "$PORT"`)
	s.Port = true
	started, err := e.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := strings.Cut(started[0].Addr, ":")
	dial := "nc -w 20 " + host + " " + port + " </dev/null"
	poll(t, "the app reaches its own container", func() bool {
		exit, _ := run(t, e, spec("one", "postdeploy", dial))
		return exit.Code == 0
	})
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	fenced(e, "two").refused(t, targets(number, host)...)
}

func TestNetworkGoesWithLastContainer(t *testing.T) {
	c := connect(t)
	e, namespace := scene(t, c)
	exists := func() bool {
		_, err := c.NetworkInspect(t.Context(), namespace+".netted", network.InspectOptions{})
		return err == nil
	}
	if _, err := e.Start(t.Context(), spec("netted", "web", "exec sleep 300")); err != nil {
		t.Fatal(err)
	}
	run(t, e, spec("netted", "postdeploy", "exit 1"))
	if !exists() {
		t.Error("the network went with the one-off, before the last container")
	}
	if err := e.Remove(t.Context(), runner.Selector{App: "netted"}, 0); err != nil {
		t.Fatal(err)
	}
	if exists() {
		t.Error("the network is left after the last container")
	}
	run(t, e, spec("netted", "postdeploy", "exit 1"))
	if exists() {
		t.Error("the network is left after a one-off")
	}
}

// TestNamespacesApart has two boathooks run the same group. The image claims a namespace by its labels as well.
func TestNamespacesApart(t *testing.T) {
	c := connect(t)
	one, _ := scene(t, c)
	two, _ := scene(t, c)
	s := spec("same", "web", "exec sleep 300")
	started, err := one.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.Start(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if err := two.RemoveInstance(t.Context(), started[0].ID, 0); err != nil {
		t.Error(err)
	}
	if err := two.Logs(t.Context(), started[0].ID, runner.LogOptions{}, &bytes.Buffer{}); !errors.Is(err, runner.ErrNotFound) {
		t.Errorf("logs across namespaces: %v", err)
	}
	if err := two.Remove(t.Context(), runner.Selector{}, 0); err != nil {
		t.Error(err)
	}
	list, err := one.List(t.Context(), runner.Selector{})
	if err != nil || len(list) != 1 || list[0] != started[0] {
		t.Errorf("after the other one removed everything: %+v, %v", list, err)
	}
}

// TestBuildContainersAreNotInstances has a container of the builder beside an app's: it is neither listed nor removed.
func TestBuildContainersAreNotInstances(t *testing.T) {
	c := connect(t)
	e, namespace := scene(t, c)
	made, err := c.ContainerCreate(t.Context(), &container.Config{Image: tinyImage, Cmd: []string{"/bin/bash"}, Labels: map[string]string{
		"boathook.namespace": namespace, "boathook.app": "building", "boathook.role": "build",
	}}, nil, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.ContainerRemove(context.Background(), made.ID, container.RemoveOptions{Force: true}); err != nil {
			t.Error("it was removed:", err)
		}
	})
	if list, err := e.List(t.Context(), runner.Selector{}); err != nil || len(list) != 0 {
		t.Errorf("listed: %+v, %v", list, err)
	}
	if groups, err := e.Groups(t.Context()); err != nil || len(groups) != 0 {
		t.Errorf("groups: %v, %v", groups, err)
	}
	if err := e.Remove(t.Context(), runner.Selector{App: "building"}, 0); err != nil {
		t.Error(err)
	}
}
