package builder

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
)

// killStrays kills what a build has left that is in no process group of a phase any more: every process of which the environment, as
// it was started with (proc_pid_environ(5)), has the entry. Without /proc it does nothing.
func killStrays(entry string) {
	for round := 0; round < 100; round++ { // a stray may beget others while it is looked for
		found := strays(entry)
		if len(found) == 0 {
			return
		}
		for _, pid := range found {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended meanwhile
		}
	}
}

// strays lists them. A zombie has no environment any more.
func strays(entry string) (pids []int) {
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err == nil && slices.ContainsFunc(bytes.Split(environ, []byte{0}), func(e []byte) bool { return string(e) == entry }) {
			pids = append(pids, pid)
		}
	}
	return pids
}
