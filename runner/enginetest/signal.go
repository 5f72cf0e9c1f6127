package enginetest

import (
	"errors"
	"testing"

	"boathook/runner"
)

func testSignal(t *testing.T, f *fixture) {
	i := f.start(t, f.spec("web", "trap 'echo reloaded' HUP; trap 'echo dumped' USR1; echo ready; "+forever))[0]
	other := f.start(t, f.spec("worker", "trap 'echo reloaded' HUP; echo ready; "+forever))[0]
	out, _ := f.follow(i.ID)
	f.eventually(t, "the traps are set", out.has("ready\n"))
	for signal, said := range map[string]string{"HUP": "reloaded\n", "USR1": "dumped\n"} {
		if err := f.engine.Signal(f.ctx, i.ID, signal); err != nil {
			t.Fatal(err)
		}
		f.eventually(t, signal+" arrives", out.has(said))
	}
	if err := f.engine.Signal(f.ctx, i.ID, "KILL"); err != nil {
		t.Fatal(err)
	}
	if got := f.exited(t, i.ID); got.ExitCode != 128+9 {
		t.Errorf("after KILL: %+v", got)
	}
	for _, left := range f.list(t, runner.Selector{App: f.app, Type: "worker"}) {
		if left.ID != other.ID || left.Phase != runner.Running {
			t.Errorf("the other instance: %+v", left)
		}
	}
	if said := f.logs(t, other.ID, runner.LogOptions{}); said != "" && said != "ready\n" {
		t.Errorf("the other instance got a signal: %q", said)
	}
}

func testSignalMissing(t *testing.T, f *fixture) {
	gone := f.start(t, f.spec("web", "exit 0"))[0]
	f.exited(t, gone.ID)
	for _, id := range []string{gone.ID, "0123456789ab"} {
		if err := f.engine.Signal(f.ctx, id, "HUP"); !errors.Is(err, runner.ErrNotFound) {
			t.Errorf("%s: error %v, want one that wraps ErrNotFound", id, err)
		}
	}
	there := f.start(t, f.spec("worker", "exec sleep 300"))[0]
	if err := f.engine.Signal(f.ctx, there.ID, "NONE"); err == nil || errors.Is(err, runner.ErrNotFound) {
		t.Errorf("a signal that there is not: error %v", err)
	}
}
