package local

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// punchHole frees the space of the first n bytes of f. The error is errors.ErrUnsupported where the file system cannot.
func punchHole(f *os.File, n int64) error {
	err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, n)
	if err != nil {
		return fmt.Errorf("punch hole: %w", err)
	}
	return nil
}

// firstData returns the offset of the first byte of f that is not in a hole; lseek(2), SEEK_DATA.
func firstData(f *os.File) (int64, error) {
	at, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) { // no data at all
		return f.Seek(0, io.SeekEnd)
	}
	return at, err
}
