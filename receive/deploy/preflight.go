package deploy

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/docker/go-units"
	"golang.org/x/sys/unix"

	"boathook/receive/state"
)

// preflight refuses a deployment for which the disks have no room: one that fails halfway for lack of space costs more, and may take
// the running apps with it.
func (r *deployment) preflight() error {
	for _, dir := range r.Disks {
		free, err := r.free(dir)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue // the engine's directory may be out of sight
		}
		if err != nil {
			return fmt.Errorf("free space of %s: %w", dir, err)
		}
		if free < r.Limits.DiskFree {
			return &Failure{
				Status: state.Aborted,
				Text:   fmt.Sprintf("The server's disk is nearly full: %s free, a deployment needs %s", units.BytesSize(float64(free)), units.BytesSize(float64(r.Limits.DiskFree))),
				Advice: "Ask the operator to make room (docker system df shows what the engine holds), then push again.",
				Err:    fmt.Errorf("disk of %s", dir),
			}
		}
	}
	return nil
}

// freeBytes is the space that a user other than root may still fill on the file system of dir (statvfs(3), f_bavail).
func freeBytes(dir string) (int64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return int64(stat.Bavail) * int64(stat.Bsize), nil
}
