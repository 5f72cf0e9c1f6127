package enginetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"boathook/runner"
)

const forever = "while :; do sleep 0.1; done"

func testNumbers(t *testing.T, f *fixture) {
	spec := f.spec("web", "exec sleep 300")
	spec.Replicas = 3
	first := f.start(t, spec)
	spec.First, spec.Replicas = 4, 2
	all := append(first, f.start(t, spec)...)

	ids := map[string]bool{}
	for at, i := range all {
		if i.Number != at+1 || i.Group != spec.Group || i.Image != spec.Image || i.ID == "" {
			t.Errorf("instance %d: %+v", at+1, i)
		}
		if i.Phase != runner.Running || i.Started.IsZero() || i.Addr != "" {
			t.Errorf("%s: phase %s, started %v, address %q", i.Name(), i.Phase, i.Started, i.Addr)
		}
		ids[i.ID] = true
	}
	if len(ids) != 5 {
		t.Errorf("%d different ids of 5 instances", len(ids))
	}
	if diff := cmp.Diff(all, f.list(t, runner.Selector{App: f.app})); diff != "" {
		t.Errorf("list differs from what start returned:\n%s", diff)
	}
}

func testEnvironment(t *testing.T, f *fixture) {
	spec := f.spec("web", "exec cat /proc/self/environ")
	spec.Env = map[string]string{"PLAIN": "value", "ODD": "a b\n$HOME 'quoted' \"é\" = ", "EMPTY": ""}
	spec.First = 3
	want := maps.Clone(spec.Env)
	want["CONTAINER"], want["HOSTNAME"] = "web-3", f.app+"-web-3"

	t.Run("without a port", func(t *testing.T) {
		_, out := f.run(t, spec)
		if diff := cmp.Diff(want, f.environment(t, out)); diff != "" {
			t.Errorf("environment (-want +got):\n%s", diff)
		}
	})
	t.Run("with a port", func(t *testing.T) {
		spec.Port = true
		_, out := f.run(t, spec)
		got := f.environment(t, out)
		if got["PORT"] == "" {
			t.Error("no PORT")
		}
		delete(got, "PORT")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("environment (-want +got):\n%s", diff)
		}
	})
}

// environment reads NUL-separated variables and leaves out those that are allowed to be there.
func (f *fixture) environment(t *testing.T, environ string) map[string]string {
	t.Helper()
	got := map[string]string{}
	for line := range strings.SplitSeq(strings.TrimSuffix(environ, "\x00"), "\x00") {
		name, value, found := strings.Cut(line, "=")
		if !found {
			t.Errorf("not a variable: %q", line)
		}
		if !slices.Contains(f.Env, name) && !slices.Contains([]string{"PWD", "SHLVL", "OLDPWD", "_"}, name) {
			got[name] = value
		}
	}
	return got
}

func testPort(t *testing.T, f *fixture) {
	spec := f.spec("web", f.Listen)
	spec.Port, spec.Replicas = true, 2
	started := f.start(t, spec)
	addrs := map[string]bool{}
	for _, i := range started {
		addrs[i.Addr] = true
		f.eventually(t, i.Name()+" accepts at "+i.Addr, func() bool { return f.accepts(i.Addr) })
		host, port, err := net.SplitHostPort(i.Addr)
		if err != nil {
			t.Fatal(err)
		}
		if exit, out := f.run(t, f.spec("beside", fmt.Sprintf("exec 3<>/dev/tcp/%s/%s", host, port))); exit.Code != 0 {
			t.Errorf("another container does not reach %s: %s", i.Addr, out)
		}
	}
	if len(addrs) != 2 {
		t.Errorf("two replicas at %v", addrs)
	}
}

func testStartMissingImage(t *testing.T, f *fixture) {
	spec := f.spec("web", "exec sleep 300")
	spec.Image += "-missing"
	spec.Replicas = 2
	if _, err := f.engine.Start(f.ctx, spec); !errors.Is(err, runner.ErrNotFound) {
		t.Errorf("error %v, want one that wraps ErrNotFound", err)
	}
	f.empty(t)
}

func testStartTakenNumber(t *testing.T, f *fixture) {
	spec := f.spec("web", "exec sleep 300")
	spec.First = 3
	there := f.start(t, spec)
	spec.First, spec.Replicas = 1, 4
	if started, err := f.engine.Start(f.ctx, spec); err == nil {
		t.Errorf("second web-3 started: %+v", started)
	}
	if diff := cmp.Diff(there, f.list(t, runner.Selector{App: f.app})); diff != "" {
		t.Errorf("after the error (-want +got):\n%s", diff)
	}
}

func testStartCanceled(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(f.ctx)
	cancel()
	if _, err := f.engine.Start(ctx, f.spec("web", "exec sleep 300")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want one that wraps context.Canceled", err)
	}
	f.empty(t)
}

func testStartNone(t *testing.T, f *fixture) {
	spec := f.spec("web", "exec sleep 300")
	spec.Replicas = 0
	if started := f.start(t, spec); len(started) > 0 {
		t.Errorf("started %+v", started)
	}
	f.empty(t)
}

func testInstanceExit(t *testing.T, f *fixture) {
	spec := f.spec("web", "exit 7")
	spec.Port = true
	got := f.exited(t, f.start(t, spec)[0].ID)
	if got.ExitCode != 7 || got.OOMKilled || got.Restarts != 0 || got.Addr != "" || got.Started.IsZero() {
		t.Errorf("after exit 7: %+v", got)
	}
}

// testKeep proves that something is not restarted by what is restarted in the meantime. The first run of that is long, as Keep does nothing for what has ended.
func testKeep(t *testing.T, f *fixture) {
	unkept := f.start(t, f.spec("worker", "exit 3"))[0]
	stopped := f.start(t, f.spec("web", "exit 3"))[0]
	f.exited(t, unkept.ID)
	f.exited(t, stopped.ID)
	spec := f.spec("web", "if [ -e ran ]; then sleep 1; else touch ran; sleep 8; fi; exit 3")
	spec.First = 2
	kept := f.start(t, spec)[0]
	if err := f.engine.Keep(f.ctx, runner.Selector{App: f.app, Type: "web"}); err != nil {
		t.Fatal(err)
	}
	restarts := func(id string) int {
		for _, i := range f.list(t, runner.Selector{App: f.app}) {
			if i.ID == id {
				return i.Restarts
			}
		}
		t.Fatalf("%s is gone", id)
		return 0
	}
	f.eventually(t, "kept container is seen between two runs", func() bool {
		for _, i := range f.list(t, runner.Selector{App: f.app, Type: "web"}) {
			if i.ID == kept.ID && i.Phase == runner.Restarting {
				return i.ExitCode == 3 && i.Addr == ""
			}
		}
		return false
	})
	f.eventually(t, "kept container restarts twice", func() bool { return restarts(kept.ID) >= 2 })
	for _, id := range []string{unkept.ID, stopped.ID} {
		if got := f.exited(t, id); got.Restarts != 0 {
			t.Errorf("restarted: %+v", got)
		}
	}
	if err := f.engine.Remove(f.ctx, runner.Selector{App: f.app}, 0); err != nil {
		t.Fatal(err)
	}
	f.empty(t)
}
