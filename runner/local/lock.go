package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockDir takes the lock of a state directory. The kernel frees it when the file is closed or this process
// ends, however it ends; children do not inherit it, as Go opens files close-on-exec.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("local engine: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = errors.New("another boathook uses it: stop that one, or choose another directory")
		}
		return nil, errors.Join(fmt.Errorf("local engine directory %s: %w", dir, err), f.Close())
	}
	return f, nil
}
