package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpuOf is the time that a process and those that descend from it have spent, in user and in system mode, on all threads: of those that still run, in
// nanoseconds. The times in /proc/PID/stat are hundredths of a second.
func cpuOf(pid int) (total time.Duration, err error) {
	for _, pid := range family(pid) {
		var spent unix.Timespec
		if err := unix.ClockGettime(cpuClock(pid), &spent); err != nil {
			return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
		}
		total += time.Duration(spent.Nano())
	}
	return total, nil
}

// cpuClock is the clock of a process's CPU time: clock_getcpuclockid(3), as Linux numbers them (include/linux/posix-timers.h).
func cpuClock(pid int) int32 {
	const scheduled = 2 // CPUCLOCK_SCHED
	return ^int32(pid)<<3 | scheduled
}

// family is a process and all that descend from it.
func family(pid int) []int {
	members := []int{pid}
	parents := map[int]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		if stat, err := readStat(child); err == nil { // else it has ended
			parents[child], _ = strconv.Atoi(stat[1])
		}
	}
	for i := 0; i < len(members); i++ {
		for child, parent := range parents {
			if parent == members[i] && !slices.Contains(members, child) {
				members = append(members, child)
			}
		}
	}
	return members
}

// readStat is /proc/PID/stat from the third field on, the state: what comes before may hold spaces.
func readStat(pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 15 {
		return nil, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	return fields, nil
}
