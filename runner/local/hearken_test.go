package local_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// ignoringEnv makes TestIgnoredSignals the process that was told to ignore SIGHUP.
const ignoringEnv = "LOCAL_TEST_IGNORING"

// TestIgnoredSignals has an engine in a process that ignores SIGHUP, as after nohup: its processes do not.
func TestIgnoredSignals(t *testing.T) {
	if os.Getenv(ignoringEnv) == "" {
		again := exec.Command("/bin/sh", "-c", `trap '' HUP; exec "$0" "$@"`, os.Args[0], "-test.run=^TestIgnoredSignals$", "-test.v")
		again.Env = append(os.Environ(), ignoringEnv+"=1")
		if out, err := again.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestIgnoredSignals") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	e := open(t, t.TempDir())
	i := start(t, e, bash(image(t, "file", ""), "trap 'echo reloaded' HUP; echo ready; while :; do sleep 0.05; done"))[0]
	eventually(t, "the trap is set", func() bool { return strings.Contains(logs(t, e, i.ID), "ready") })
	if err := e.Signal(t.Context(), i.ID, "HUP"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the signal arrives", func() bool { return strings.Contains(logs(t, e, i.ID), "reloaded") })
}
