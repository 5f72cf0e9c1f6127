package enginetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"boathook/runner"
)

func testSelector(t *testing.T, f *fixture) {
	var groups []runner.Group
	for _, g := range []runner.Group{
		{App: f.app, Release: "1", Type: "web"},
		{App: f.app, Release: "1", Type: "worker"},
		{App: f.app, Release: "2", Type: "web"},
		{App: f.app + "-2", Release: "1", Type: "web"},
	} {
		spec := f.spec("", "exec sleep 300")
		spec.Group = g
		f.start(t, spec)
		groups = append(groups, g)
	}
	listed := func(sel runner.Selector) (got []runner.Group) {
		for _, i := range f.list(t, sel) {
			got = append(got, i.Group)
		}
		return got
	}
	for _, sel := range []runner.Selector{
		{}, {App: f.app}, {Release: "1"}, {Type: "web"}, {App: f.app, Release: "1"}, {App: f.app, Type: "web"},
		{App: f.app, Release: "2", Type: "web"}, {App: f.app, Release: "2", Type: "worker"}, {App: f.app[:4]},
	} {
		var want []runner.Group
		for _, g := range groups {
			if sel.Matches(g) {
				want = append(want, g)
			}
		}
		if diff := cmp.Diff(want, listed(sel)); diff != "" {
			t.Errorf("list %+v (-want +got):\n%s", sel, diff)
		}
	}
	if err := f.engine.Remove(f.ctx, runner.Selector{App: f.app, Release: "1"}, 0); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(groups[2:], listed(runner.Selector{})); diff != "" {
		t.Errorf("after remove (-want +got):\n%s", diff)
	}
}

func testGroups(t *testing.T, f *fixture) {
	groups := func() []runner.Group {
		got, err := f.engine.Groups(f.ctx)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := groups(); len(got) != 0 {
		t.Errorf("in an empty engine: %v", got)
	}
	worker := f.spec("worker", "exit 1")
	web := f.spec("web", "exec sleep 300")
	web.Replicas = 2
	f.exited(t, f.start(t, worker)[0].ID)
	f.start(t, web)
	if diff := cmp.Diff([]runner.Group{web.Group, worker.Group}, groups()); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}

func testRemoveTerm(t *testing.T, f *fixture) {
	spec := f.spec("web", "trap 'echo bye; exit 0' TERM; echo ready; "+forever)
	spec.Replicas = 2
	for _, i := range f.start(t, spec) {
		out, done := f.follow(i.ID)
		f.eventually(t, i.Name()+" is ready", out.has("ready"))
		defer func() {
			if err := <-done; err != nil {
				t.Error(err)
			}
			if !out.has("bye")() {
				t.Errorf("%s got no SIGTERM: %q", i.Name(), out.String())
			}
		}()
	}
	if err := f.engine.Remove(f.ctx, runner.Selector{App: f.app}, patience); err != nil {
		t.Error(err)
	}
	f.empty(t)
}

func testRemoveKill(t *testing.T, f *fixture) {
	f.removedListener(t, "trap '' TERM; "+f.Listen, time.Second)
}

// testRemoveChildren has the listener in a child that nobody waits for and that ignores the signal.
func testRemoveChildren(t *testing.T, f *fixture) {
	f.removedListener(t, "(trap '' TERM HUP; "+f.Listen+") & trap 'exit 0' TERM; "+forever, time.Second)
}

// removedListener checks that nothing listens any more where the removed container did. A second container keeps the
// app's network, so that the question stays inside it.
func (f *fixture) removedListener(t *testing.T, command string, grace time.Duration) {
	t.Helper()
	f.start(t, f.spec("worker", "exec sleep 300"))
	spec := f.spec("web", command)
	spec.Port = true
	i := f.start(t, spec)[0]
	f.eventually(t, "the container listens", func() bool { return f.accepts(i.Addr) })
	if err := f.engine.Remove(f.ctx, runner.Selector{App: f.app, Type: "web"}, grace); err != nil {
		t.Error(err)
	}
	if f.accepts(i.Addr) {
		t.Error("a process of the removed container still listens")
	}
	if left := f.list(t, runner.Selector{App: f.app}); len(left) != 1 || left[0].Type != "worker" {
		t.Errorf("left: %+v", left)
	}
}

func testRemoveNothing(t *testing.T, f *fixture) {
	for _, sel := range []runner.Selector{{}, {App: f.app}, {App: f.app, Release: "9", Type: "web"}} {
		if err := f.engine.Remove(f.ctx, sel, time.Second); err != nil {
			t.Errorf("remove %+v: %v", sel, err)
		}
	}
	if err := f.engine.RemoveInstance(f.ctx, "0123456789ab", time.Second); err != nil {
		t.Errorf("remove a missing instance: %v", err)
	}
	if err := f.engine.Keep(f.ctx, runner.Selector{App: f.app}); err != nil {
		t.Errorf("keep nothing: %v", err)
	}
}

func testRemoveInstance(t *testing.T, f *fixture) {
	spec := f.spec("web", "exec sleep 300")
	spec.Replicas = 2
	started := f.start(t, spec)
	for range 2 {
		if err := f.engine.RemoveInstance(f.ctx, started[0].ID, 0); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(started[1:], f.list(t, runner.Selector{App: f.app})); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// testConcurrent deploys and removes releases of one app at the same time.
func testConcurrent(t *testing.T, f *fixture) {
	var workers sync.WaitGroup
	for worker := range 3 {
		workers.Go(func() {
			for round := range 2 {
				spec := f.spec("web", "exec sleep 300")
				spec.Release = fmt.Sprintf("%d", 10*worker+round+1)
				if _, err := f.engine.Start(f.ctx, spec); err != nil {
					t.Errorf("start %s: %v", spec.Group, err)
				}
				if err := f.engine.Remove(f.ctx, runner.Selector{App: f.app, Release: spec.Release}, 0); err != nil {
					t.Errorf("remove %s: %v", spec.Group, err)
				}
			}
		})
	}
	workers.Wait()
	f.empty(t)
}
