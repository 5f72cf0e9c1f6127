package deploy

import (
	"bytes"
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"boathook/receive/apps"
	"boathook/receive/state"
	"boathook/router"
	"boathook/runner"
)

// alive is a ruin whose live release has a worker with a command, recovered.
func alive(t *testing.T, command string, amount int, limits Limits) (*ruin, *Deployer) {
	t.Helper()
	r := newRuin(t)
	release := r.release("c1", command)
	check(t, r.store.GoLive(t.Context(), release.Deployment, []state.ProcessType{{Name: "worker", Command: command, Amount: amount, Size: "M"}}))
	d := r.deployer(limits)
	check(t, d.Recover(t.Context()))
	return r, d
}

// A container that somebody removed, or stopped, is there again, and the others are left alone.
func TestDriftIsRepaired(t *testing.T) {
	r, d := alive(t, "sleep 600", 3, Limits{})
	eventually(t, "three run", func() bool { return len(r.running()) == 3 })
	before := r.running()
	check(t, r.engine.RemoveInstance(t.Context(), before["1/worker-2"], 0))
	eventually(t, "the removed one is replaced", func() bool {
		id := r.running()["1/worker-2"]
		return id != "" && id != before["1/worker-2"]
	})
	after := r.running()
	delete(before, "1/worker-2")
	delete(after, "1/worker-2")
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the others changed:\n%s", diff)
	}

	spec, err := d.spec(state.App{Name: "my-app"}, state.Release{Deployment: 1, Image: filepath.Join(r.dir, "image-c1"), Launcher: []string{"/bin/sh", "-c"}},
		nil, state.ProcessType{Name: "worker", Command: "sleep 600", Amount: 1, Size: "M"})
	check(t, err)
	spec.First = 7
	_, err = r.engine.Start(t.Context(), spec)
	check(t, err)
	eventually(t, "the superfluous one goes", func() bool { return len(r.running()) == 3 && r.running()["1/worker-7"] == "" })
}

// A restart that was cut short, as boathook died, has left the extra container alone: it stays until the one whose place it holds has been up for
// the grace period.
func TestRollCutShort(t *testing.T) {
	r := newRuin(t)
	release := r.release("c1", "sleep 600")
	check(t, r.store.GoLive(t.Context(), release.Deployment, []state.ProcessType{{Name: "worker", Command: "sleep 600", Amount: 1, Size: "M"}}))
	dead := r.deployer(Limits{Grace: time.Millisecond})
	extra := maxReplicas + 1
	check(t, dead.startOne(t.Context(), state.App{Name: "my-app"}, release, state.ProcessType{Name: "worker", Size: "M"}, extra))

	slow := r.deployer(Limits{Grace: time.Hour})
	check(t, slow.Recover(t.Context()))
	eventually(t, "what is missing is started", func() bool { return r.running()["1/worker-1"] != "" })
	give, err := slow.claims.take(t.Context(), "my-app", "test") // reconcile would leave an app alone that is being repaired
	check(t, err)
	_, err = slow.reconciler.repair(t.Context(), "my-app")
	check(t, err)
	give()
	if running := r.running(); len(running) != 2 {
		t.Errorf("before the grace period is over there run %v", running)
	}
	slow.Close()

	check(t, r.deployer(Limits{Grace: time.Millisecond}).Recover(t.Context()))
	eventually(t, "the extra one goes", func() bool { return len(r.running()) == 1 && r.running()["1/worker-1"] != "" })
}

// It stays as well where the other one is given up: nothing else may be left.
func TestRollCutShortAndGivenUp(t *testing.T) {
	r := newRuin(t)
	command := `[ "$CONTAINER" = worker-1 ] && exit 3; exec sleep 600`
	release := r.release("c1", command)
	check(t, r.store.GoLive(t.Context(), release.Deployment, []state.ProcessType{{Name: "worker", Command: command, Amount: 1, Size: "M"}}))
	limits := Limits{Grace: time.Hour, Crashes: 2}
	check(t, r.deployer(limits).startOne(t.Context(), state.App{Name: "my-app"}, release, state.ProcessType{Name: "worker", Size: "M"}, maxReplicas+1))
	d := r.deployer(limits)
	check(t, d.Recover(t.Context()))
	eventually(t, "it is given up", func() bool { return len(d.reconciler.crashes.given("my-app", "1")) == 1 })
	give, err := d.claims.take(t.Context(), "my-app", "test")
	check(t, err)
	_, err = d.reconciler.repair(t.Context(), "my-app")
	check(t, err)
	give()
	if running := r.running(); running["1/worker-1001"] == "" {
		t.Errorf("there run %v", running)
	}
}

// The extra web container of a restart that was cut short serves until the one whose place it holds accepts connections.
func TestRollOfWebCutShort(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		_, err := s.engine.Start(t.Context(), runner.Spec{Group: runner.Group{App: "my-app", Release: "1", Type: web}, Argv: []string{"listen"}, First: maxReplicas + 1, Replicas: 1})
		check(t, err)
		for _, look := range []struct {
			addr string // of web-1, which has just been started
			want []string
		}{
			{"127.0.0.1:1", []string{"1/web-1", "1/web-1001"}}, // tcpmux, which nobody has
			{s.engine.listener.Addr().String(), []string{"1/web-1"}},
		} {
			s.engine.startAnew("web-1", look.addr)
			check(t, s.d.routes.refresh(t.Context(), "my-app"))
			time.Sleep(time.Minute) // of the bubble's clock: however long it takes
			_, err := s.d.reconciler.repair(t.Context(), "my-app")
			check(t, err)
			if diff := cmp.Diff(look.want, s.names()); diff != "" {
				t.Errorf("web-1 at %s: containers (-want +got):\n%s", look.addr, diff)
			}
		}
	})
}

// counter is a router that notes how many targets each route has.
type counter struct {
	Router
	targets []int
}

func (c *counter) Set(route router.Route) *router.Drain {
	c.targets = append(c.targets, len(route.Targets))
	return c.Router.Set(route)
}

// Containers that all run anew, as after a restart of the engine, and listen by the time that this is seen: there is no moment without one.
// Of one that does not listen yet nothing is in the table.
func TestRoutesOfRestartedContainers(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		_, err := s.engine.Start(t.Context(), runner.Spec{Group: runner.Group{App: "my-app", Release: "1", Type: web}, Argv: []string{"listen"}, First: 2, Replicas: 1})
		check(t, err)
		again, err := net.Listen("tcp", "127.0.0.1:0")
		check(t, err)
		defer again.Close()
		synctest.Wait()
		check(t, s.d.routes.refresh(t.Context(), "my-app"))
		counted := &counter{Router: s.d.routes.router}
		s.d.routes.router = counted
		s.engine.mu.Lock() // both change at once
		for _, i := range s.engine.instances {
			i.Started, i.Addr = i.Started.Add(time.Second), again.Addr().String()
		}
		s.engine.mu.Unlock()
		check(t, s.d.routes.refresh(t.Context(), "my-app"))
		s.engine.startAnew("web-1", "127.0.0.1:1")
		check(t, s.d.routes.refresh(t.Context(), "my-app"))
		synctest.Wait()
		if diff := cmp.Diff([]int{2, 1}, counted.targets); diff != "" {
			t.Errorf("targets (-want +got):\n%s", diff)
		}
	})
}

// A container that crashes again and again is given up: it is told as crashed, its last words are kept, and scaling and restarting try it anew.
func TestCrashLoop(t *testing.T) {
	r, d := alive(t, "echo no database; exit 3", 1, Limits{Crashes: 4, Grace: time.Minute})
	var listed []apps.Container
	eventually(t, "it is given up", func() bool {
		var err error
		listed, err = d.Instances(t.Context(), "my-app")
		check(t, err)
		if len(listed) > 1 {
			t.Errorf("told twice: %v", listed)
		}
		return len(listed) == 1 && listed[0].State == "crashed" && listed[0].Name == "worker-1" &&
			len(d.reconciler.crashes.given("my-app", "1")) == 1 // one that has ended is told so too, until it is replaced
	})
	eventually(t, "nothing is left of it", func() bool {
		left, err := r.engine.List(t.Context(), runner.Selector{})
		check(t, err)
		return len(left) == 0
	})
	eventually(t, "its last words are kept", func() bool {
		var out bytes.Buffer
		check(t, d.Logs(t.Context(), "my-app", apps.LogOptions{Lines: 5}, &out))
		return strings.Contains(out.String(), "[worker-1] no database\n")
	})
	d.reconciler.reconcile(t.Context(), "my-app")
	if left, err := r.engine.List(t.Context(), runner.Selector{}); err != nil || len(left) > 0 {
		t.Errorf("it was started again: %v, %v", left, err)
	}
	err := d.Scale(t.Context(), "my-app", to(state.ProcessType{Name: "worker", Amount: 1, Size: "M"}), silent)
	if err == nil || !strings.Contains(err.Error(), "no database") {
		t.Errorf("scaling what still crashes: %v", err)
	}
	err = d.Restart(t.Context(), "my-app", nil, silent)
	if err == nil || !strings.Contains(err.Error(), "worker is not restarted") || !strings.Contains(err.Error(), "no database") {
		t.Errorf("restarting what still crashes: %v", err)
	}
}

// crashes count in a row: a run of ten seconds starts over.
func TestCrashesInARow(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c := newCrashes(3)
	see := func(id string, restarts int, ran time.Duration) (int, bool) {
		return c.see(runner.Instance{ID: id, Restarts: restarts, Started: now.Add(-ran), Phase: runner.Restarting}, now)
	}
	for step, test := range []struct {
		id       string
		restarts int
		ran      time.Duration
		want     int
		tooMany  bool
	}{
		{"a", 0, 0, 0, false},
		{"a", 1, time.Second, 1, false},
		{"a", 1, time.Second, 1, false},     // seen twice, crashed once
		{"b", 0, time.Second, 2, false},     // replaced
		{"b", 1, 11 * time.Second, 3, true}, // the run before it was a short one
		{"b", 2, time.Second, 1, false},     // the run before it was a long one
		{"b", 4, time.Second, 3, true},      // two that nobody saw one by one
	} {
		if row, tooMany := see(test.id, test.restarts, test.ran); row != test.want || tooMany != test.tooMany {
			t.Errorf("step %d: %d, %v; want %d, %v", step, row, tooMany, test.want, test.tooMany)
		}
	}
	if row, _ := c.see(runner.Instance{ID: "b", Restarts: 4, Started: now.Add(-time.Hour), Phase: runner.Running}, now); row != 0 {
		t.Errorf("after a long run: %d", row)
	}
}

// While an app is claimed for something else the reconciler leaves it alone, and comes back.
func TestClaimedAppIsLeftAlone(t *testing.T) {
	r, d := alive(t, "sleep 600", 1, Limits{})
	eventually(t, "it runs", func() bool { return len(r.running()) == 1 })
	give, err := d.claims.take(t.Context(), "my-app", "scaling")
	check(t, err)
	check(t, r.engine.Remove(t.Context(), runner.Selector{App: "my-app"}, 0))
	d.reconciler.reconcile(t.Context(), "my-app")
	if running := r.running(); len(running) > 0 {
		t.Errorf("repaired while it was being scaled: %v", running)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.claims.take(ended, "my-app", "switch"); err == nil {
		t.Error("two claims on one app")
	}
	give()
	d.reconciler.look("my-app", time.Now())
	eventually(t, "it is repaired", func() bool { return len(r.running()) == 1 })
}

// What an engine still did for a boathook that had died is removed when it shows; what is at work, or live, stays.
func TestStrays(t *testing.T) {
	r, d := alive(t, "sleep 600", 1, Limits{})
	eventually(t, "it runs", func() bool { return len(r.running()) == 1 })
	done := d.inHand.take("3") // before it is there, as the deployer looks for strays by itself too
	for _, commit := range []string{"c2", "c3"} {
		release := r.release(commit, "sleep 600")
		spec, err := d.spec(state.App{Name: "my-app"}, release, nil, state.ProcessType{Name: "worker", Command: "sleep 600", Amount: 1, Size: "M"})
		check(t, err)
		_, err = r.engine.Start(t.Context(), spec)
		check(t, err)
	}
	check(t, d.removeStrays(t.Context()))
	if running := r.running(); len(running) != 2 || running["1/worker-1"] == "" || running["3/worker-1"] == "" {
		t.Errorf("running: %v", running)
	}
	done()
	check(t, d.removeStrays(t.Context()))
	if running := r.running(); len(running) != 1 || running["1/worker-1"] == "" {
		t.Errorf("running: %v", running)
	}
}

// TestRepairsSideBySide has the stop of one app's superfluous container hang: another app is repaired meanwhile, and the first one, which asks for a look
// again, only once that has ended.
func TestRepairsSideBySide(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		_, err := s.store.CreateApp(t.Context(), "other-app", "alice")
		check(t, err)
		check(t, s.d.Deploy(t.Context(), Request{
			App: "other-app", Pusher: "alice", Commit: "c0ffee", Out: io.Discard, Publish: func(context.Context) error { return nil },
		}))
		_, err = s.engine.Start(t.Context(), runner.Spec{Group: runner.Group{App: "my-app", Release: "1", Type: web}, Argv: []string{"listen"}, First: 2, Replicas: 1})
		check(t, err)
		stopping, stop := 0, make(chan struct{})
		s.on("stop web-2", func() { stopping++; <-stop })
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.d.reconciler.run(ctx) })

		s.d.reconciler.look("my-app", time.Now())
		synctest.Wait()
		s.d.reconciler.look("my-app", time.Now())
		check(t, s.engine.Remove(t.Context(), runner.Selector{App: "other-app"}, 0))
		s.d.reconciler.look("other-app", time.Now())
		synctest.Wait()
		if others, _ := s.engine.list(runner.Selector{App: "other-app"}); len(others) != 1 || stopping != 1 {
			t.Errorf("while a container of my-app is stopped, %d times, other-app has the containers %v", stopping, others)
		}
		close(stop)
		synctest.Wait()
		if diff := cmp.Diff([]string{"1/web-1"}, s.names()); diff != "" {
			t.Errorf("my-app in the end (-want +got):\n%s", diff)
		}
		cancel()
		running.Wait()
	})
}
