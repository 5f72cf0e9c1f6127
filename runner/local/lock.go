package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// dirLock keeps a state directory for one engine.
type dirLock struct{ file *os.File }

// lockPatience is how long a child may hold the lock of a process that has ended: from its fork to its exec, as Go opens files close-on-exec.
const lockPatience = time.Second

// lockDir takes the lock of a state directory. The kernel frees it when this process ends, however it ends.
func lockDir(dir string) (*dirLock, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("local engine: %w", err)
	}
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(10 * time.Millisecond) {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(deadline) {
			break
		}
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errors.New("another boathook uses it: stop that one, or choose another directory")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("local engine directory %s: %w", dir, err), f.Close())
	}
	return &dirLock{f}, nil
}

// Close frees the directory, also where a child that is being forked holds the file.
func (l *dirLock) Close() error {
	return errors.Join(unix.Flock(int(l.file.Fd()), unix.LOCK_UN), l.file.Close())
}
