package enginetest

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"boathook/runner"
)

// watched reads snapshots until one has exactly these phases.
func (f *fixture) watched(t *testing.T, snapshots <-chan []runner.Instance, want ...runner.Phase) []runner.Instance {
	t.Helper()
	var phases []runner.Phase
	for {
		select {
		case snapshot, open := <-snapshots:
			if !open {
				t.Fatal("the watch ended by itself")
			}
			phases = phases[:0]
			for _, i := range snapshot {
				phases = append(phases, i.Phase)
			}
			if slices.Equal(phases, want) {
				return snapshot
			}
		case <-f.ctx.Done():
			t.Fatalf("the last snapshot has phases %v, want %v", phases, want)
		}
	}
}

func testWatch(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	sel := runner.Selector{App: f.app, Type: "web"}
	snapshots, err := f.engine.Watch(ctx, sel)
	if err != nil {
		t.Fatal(err)
	}
	if first := <-snapshots; len(first) != 0 {
		t.Errorf("first snapshot %+v", first)
	}
	f.start(t, f.spec("worker", "exec sleep 300")) // not selected
	spec := f.spec("web", "exec sleep 300")
	long := f.start(t, spec)[0]
	got := f.watched(t, snapshots, runner.Running)
	if diff := cmp.Diff(f.list(t, sel), got); diff != "" {
		t.Errorf("snapshot differs from list:\n%s", diff)
	}
	short := f.spec("web", "sleep 1; exit 4")
	short.First = 2
	f.start(t, short)
	got = f.watched(t, snapshots, runner.Running, runner.Exited)
	if got[1].ExitCode != 4 {
		t.Errorf("exited as %+v", got[1])
	}
	if err := f.engine.RemoveInstance(f.ctx, long.ID, 0); err != nil {
		t.Error(err)
	}
	f.watched(t, snapshots, runner.Exited)
	if err := f.engine.Remove(f.ctx, sel, 0); err != nil {
		t.Error(err)
	}
	f.watched(t, snapshots)
	cancel()
	for range snapshots {
		// The channel is closed, or the test runs out of time.
	}
}

// testWatchSlow reads nothing while things change; what it reads then is not the whole history.
func testWatchSlow(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	snapshots, err := f.engine.Watch(ctx, runner.Selector{App: f.app})
	if err != nil {
		t.Fatal(err)
	}
	spec := f.spec("web", "exec sleep 300")
	for number := range 3 {
		spec.First = number + 1
		f.start(t, spec)
	}
	f.watched(t, snapshots, runner.Running, runner.Running, runner.Running)
}
