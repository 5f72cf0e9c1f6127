package enginetest

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"boathook/runner"
)

// testStats has one instance that computes in a child, and one that sleeps.
func testStats(t *testing.T, f *fixture) {
	spec := f.spec("web", "(while :; do :; done) & wait")
	spec.Limits.Memory = 64 << 20
	busy := f.start(t, spec)[0]
	idle := f.start(t, f.spec("worker", "exec sleep 300"))[0]
	if _, err := f.engine.Stats(f.ctx, busy.ID); runtime.GOOS != "linux" && errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	f.eventually(t, "computing is counted", func() bool { return f.stats(t, busy.ID).CPU >= 300*time.Millisecond })
	used := f.stats(t, busy.ID)
	if used.Memory < 64<<10 || used.Memory > 64<<20 {
		t.Errorf("%d bytes used", used.Memory)
	}
	if f.Memory && used.Limit != 64<<20 || !f.Memory && used.Limit != 0 {
		t.Errorf("limit of %d bytes", used.Limit)
	}
	if later := f.stats(t, busy.ID); later.CPU < used.CPU {
		t.Errorf("CPU time went back from %s to %s", used.CPU, later.CPU)
	}
	if got := f.stats(t, idle.ID); got.CPU >= used.CPU {
		t.Errorf("sleeping took %s, computing %s", got.CPU, used.CPU)
	}
}

func (f *fixture) stats(t *testing.T, id string) runner.Usage {
	t.Helper()
	used, err := f.engine.Stats(f.ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return used
}

func testStatsMissing(t *testing.T, f *fixture) {
	gone := f.start(t, f.spec("web", "exit 0"))[0]
	f.exited(t, gone.ID)
	for _, id := range []string{gone.ID, "0123456789ab"} {
		if _, err := f.engine.Stats(f.ctx, id); !errors.Is(err, runner.ErrNotFound) {
			t.Errorf("%s: error %v, want one that wraps ErrNotFound", id, err)
		}
	}
}
