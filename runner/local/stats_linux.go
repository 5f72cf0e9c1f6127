package local

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"boathook/runner"
)

// tick is the unit of time of proc_pid_stat(5) for programs, whatever the kernel's own is.
const tick = time.Second / 100

// usage adds up what processes use, and the children that they have waited for. Pages that several of them share count as often. A process that
// ends meanwhile is left out.
func usage(pids []int) (sum runner.Usage, err error) {
	for _, pid := range pids {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		one, err := readUsage(data)
		if err != nil {
			return sum, fmt.Errorf("process %d: %w", pid, err)
		}
		sum.CPU += one.CPU
		sum.Memory += one.Memory
	}
	return sum, nil
}

// readUsage reads a line of proc_pid_stat(5): fields 14 to 17 are times, 24 is resident pages.
func readUsage(line []byte) (one runner.Usage, err error) {
	const first = 3 // the field behind the name
	fields := strings.Fields(string(line[bytes.LastIndexByte(line, ')')+1:]))
	if len(fields) <= 24-first {
		return one, fmt.Errorf("stat of %d fields: unknown format", len(fields))
	}
	for _, field := range fields[14-first : 17-first+1] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return one, fmt.Errorf("time %q: %w", field, err)
		}
		one.CPU += time.Duration(ticks) * tick
	}
	pages, err := strconv.ParseInt(fields[24-first], 10, 64)
	if err != nil {
		return one, fmt.Errorf("resident pages %q: %w", fields[24-first], err)
	}
	one.Memory = pages * int64(os.Getpagesize())
	return one, nil
}
