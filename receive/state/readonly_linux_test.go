package state

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// asNobody runs f with the rights of a user who owns nothing here.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and not unlocked: the thread ends with the goroutine
		if os.Geteuid() == 0 {
			if err := unix.Setfsuid(65534); err != nil {
				t.Error(err)
				return
			}
		}
		f()
	}()
	<-done
}

func TestReadOnlyDataDirectoryIsRefused(t *testing.T) {
	for name, mode := range map[string]os.FileMode{"nothing there yet": 0, "a database of another's": 0o444} {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "state")
			must(t, err)
			defer os.RemoveAll(dir)
			path := filepath.Join(dir, "boathook.db")
			if mode != 0 {
				must(t, os.WriteFile(path, nil, mode))
			}
			must(t, os.Chmod(dir, 0o555))
			asNobody(t, func() {
				_, err := Open(t.Context(), path)
				if err == nil || !strings.Contains(err.Error(), "permission denied: let the user that runs boathook write in "+dir+", or choose another data directory") {
					t.Errorf("error %v", err)
				}
			})
			must(t, os.Chmod(dir, 0o755))
		})
	}
}
