package gitpack

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// limitProcess bounds a process's processor time, at whose end the kernel sends SIGXCPU, and the private memory that it
// may write to, behind which allocations fail. Files that it maps, as git does with packs, are not counted: setrlimit(2).
func limitProcess(pid int, limits Limits) error {
	seconds := uint64(max(1, limits.CPU/time.Second))
	memory := uint64(limits.Memory)
	return errors.Join(
		unix.Prlimit(pid, unix.RLIMIT_CPU, &unix.Rlimit{Cur: seconds, Max: seconds + 1}, nil),
		unix.Prlimit(pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: memory, Max: memory}, nil),
	)
}
