package local

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// stat is what proc_pid_stat(5) says of a process.
type stat struct {
	state   byte // 'Z' is a zombie, 'X' dead
	parent  int
	session int
	started string // clock ticks since boot
}

func readStat(pid int) (stat, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	// The name in field 2 is in parentheses and may hold anything, so count from the last one.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("/proc/%d/stat: unknown format", pid)
	}
	s := stat{state: fields[0][0], started: fields[19]}
	if s.parent, err = strconv.Atoi(fields[1]); err != nil {
		return stat{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	if s.session, err = strconv.Atoi(fields[3]); err != nil {
		return stat{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
	}
	return s, nil
}

// identity returns what tells the process from every other that ever has the same PID: the boot and the time since
// then at which it started. A zombie is alive only as our own child, which is reaped in a moment.
func identity(pid int) (id string, alive bool, err error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", false, err
	}
	s, err := readStat(pid)
	if err != nil {
		return "", false, err
	}
	ended := s.state == 'X' || s.state == 'Z' && s.parent != os.Getpid()
	return strings.TrimSpace(string(boot)) + "/" + s.started, !ended, nil
}

// awaitZombie waits until the child pid has ended, without reaping it.
func awaitZombie(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// strays lists the processes that live in the session (0: none), or have one of the marks in the environment
// that they were started with. What ends while it is looked at, and what is another user's, is not in it.
func strays(session int, marks []string) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		s, err := readStat(pid)
		if err != nil || s.state == 'Z' || s.state == 'X' {
			continue
		}
		if session != 0 && s.session == session || marked(pid, marks) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func marked(pid int, marks []string) bool {
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return false
	}
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if slices.Contains(marks, string(entry)) {
			return true
		}
	}
	return false
}
