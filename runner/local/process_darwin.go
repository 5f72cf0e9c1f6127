package local

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// zombie is SZOMB of <sys/proc.h>.
const zombie = 5

// identity returns what tells the process from every other that ever has the same PID: the time at which it
// started. A zombie is alive only as our own child, which is reaped in a moment.
func identity(pid int) (id string, alive bool, err error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return "", false, fmt.Errorf("process %d: %w", pid, err)
	}
	started := info.Proc.P_starttime
	ended := info.Proc.P_stat == zombie && int(info.Eproc.Ppid) != os.Getpid()
	return fmt.Sprintf("%d.%06d", started.Sec, started.Usec), !ended, nil
}

// awaitZombie waits until the child pid has ended, without reaping it. Where the kernel cannot tell, it
// returns at once, and the reaping waits.
func awaitZombie(pid int) {
	queue, err := unix.Kqueue()
	if err != nil {
		return
	}
	defer unix.Close(queue)
	exit := []unix.Kevent_t{{Ident: uint64(pid), Filter: unix.EVFILT_PROC, Flags: unix.EV_ADD, Fflags: unix.NOTE_EXIT}}
	for {
		_, err := unix.Kevent(queue, exit, make([]unix.Kevent_t, 1), nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// strays lists the process group of the ended main process as long as it has a living member; kill(2)
// takes a negative number for a group. Marks are of no use here.
func strays(session int, _ []string) []int {
	if session != 0 && unix.Kill(-session, 0) == nil {
		return []int{-session}
	}
	return nil
}
