package gitpack

import (
	"time"

	"golang.org/x/sys/unix"
)

// limitCPU bounds the processor time of a process; the kernel ends it with SIGXCPU.
func limitCPU(pid int, limit time.Duration) error {
	seconds := uint64(max(1, limit/time.Second))
	return unix.Prlimit(pid, unix.RLIMIT_CPU, &unix.Rlimit{Cur: seconds, Max: seconds + 1}, nil)
}
