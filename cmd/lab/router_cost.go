package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on every architecture that Go runs on.
const tick = time.Second / 100

// cpuOf is the time that a process and its children have spent, in user and in system mode, on all threads (proc(5)).
func cpuOf(pid int) (total time.Duration, err error) {
	for _, pid := range family(pid) {
		stat, err := readStat(pid)
		if err != nil {
			return 0, err
		}
		for _, field := range stat[11:15] { // utime stime cutime cstime
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return 0, err
			}
			total += time.Duration(n) * tick
		}
	}
	return total, nil
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
