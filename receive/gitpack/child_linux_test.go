package gitpack

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// children are the processes that this one has started and not yet waited for.
func children() []int {
	var pids []int
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		text, _ := os.ReadFile(list) // a thread may end meanwhile
		for field := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// The limits are in force on the process that unpacks, and it has an environment of its own.
func TestGitIsLimited(t *testing.T) {
	t.Setenv("GIT_CONFIG_PARAMETERS", "'core.hooksPath'='/tmp'")
	w := newWorld(t)
	w.repos.limits = Limits{CPU: 77 * time.Second, Memory: 123 << 20, Alloc: "45m", BigFile: "6m", InputSize: 7777}.withDefaults()
	tip, whole := simplePush()
	c := w.connect(t, "my-app", mustNotDeploy(t))
	c.send(input(t, "report-status", master, tip.id(), whole[:40]))
	proc := func(file string) string {
		for _, pid := range children() {
			text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
			return strings.ReplaceAll(string(text), "\x00", "\n")
		}
		return ""
	}
	for _, want := range []struct{ file, line string }{
		{"limits", fmt.Sprintf("%-25s %-20d %-20d seconds", "Max cpu time", 77, 78)},
		{"limits", fmt.Sprintf("%-25s %-20d %-20d bytes", "Max data size", 123<<20, 123<<20)},
		{"environ", "GIT_ALLOC_LIMIT=45m\n"},
		{"environ", "GIT_CONFIG_GLOBAL=/dev/null\n"},
		{"environ", "GIT_CONFIG_NOSYSTEM=1\n"},
		{"cmdline", "core.bigFileThreshold=6m\n"},
		{"cmdline", "pack.threads=2\n"},
		{"cmdline", "--max-input-size=7777\n"},
	} {
		eventually(t, want.line, func() bool { return strings.Contains(proc(want.file), want.line) })
	}
	if environ := proc("environ"); strings.Contains(environ, "GIT_CONFIG_PARAMETERS='core.hooksPath'") {
		t.Errorf("the environment is not git's own:\n%s", environ)
	}
	pid := children()[0]
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err != nil || !strings.Contains(string(stat), fmt.Sprintf(" %d %d ", os.Getpid(), pid)) {
		t.Errorf("not the leader of a process group: %s, %v", stat, err)
	}
}
