package deploy

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"boathook/receive/apps"
	"boathook/receive/state"
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

// A container that crashes again and again is given up: it is told as crashed, its last words are kept, and scaling tries it anew.
func TestCrashLoop(t *testing.T) {
	r, d := alive(t, "echo no database; exit 3", 1, Limits{Crashes: 4, Grace: time.Minute})
	var listed []apps.Container
	eventually(t, "it is given up", func() bool {
		var err error
		listed, err = d.Instances(t.Context(), "my-app")
		check(t, err)
		return len(listed) == 1 && listed[0].State == "crashed" && listed[0].Name == "worker-1"
	})
	if left, err := r.engine.List(t.Context(), runner.Selector{}); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	eventually(t, "its last words are kept", func() bool {
		var out bytes.Buffer
		check(t, d.Logs(t.Context(), "my-app", apps.LogOptions{Lines: 5}, &out))
		return strings.Contains(out.String(), "[worker-1] no database\n")
	})
	d.reconciler.reconcile(t.Context(), "my-app")
	if left, err := r.engine.List(t.Context(), runner.Selector{}); err != nil || len(left) > 0 {
		t.Errorf("it was started again: %v, %v", left, err)
	}
	err := d.Scale(t.Context(), "my-app", []state.ProcessType{{Name: "worker", Amount: 1, Size: "M"}})
	if err == nil || !strings.Contains(err.Error(), "no database") {
		t.Errorf("scaling what still crashes: %v", err)
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
	for _, commit := range []string{"c2", "c3"} {
		release := r.release(commit, "sleep 600")
		spec, err := d.spec(state.App{Name: "my-app"}, release, nil, state.ProcessType{Name: "worker", Command: "sleep 600", Amount: 1, Size: "M"})
		check(t, err)
		_, err = r.engine.Start(t.Context(), spec)
		check(t, err)
	}
	done := d.inHand.take("3")
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
