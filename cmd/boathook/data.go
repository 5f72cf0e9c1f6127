package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// errServed is wrapped by lockData while another process has the directory.
var errServed = errors.New("another boathook serves")

// dataLock keeps a data directory for one process.
type dataLock struct{ file *os.File }

// lockData makes this process the only one that serves the data directory, or puts one there, until the lock is closed. The kernel
// frees the lock with the process; as a child that was being forked may hold it a moment longer, it is tried for a second, or with wait until
// ctx ends.
func lockData(ctx context.Context, data string, wait bool) (*dataLock, error) {
	file, err := os.OpenFile(filepath.Join(data, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for tries := 0; ; tries++ {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return &dataLock{file}, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(err, file.Close())
		}
		if tries >= 20 && !wait || ctx.Err() != nil {
			err = fmt.Errorf("%w %s: stop it, or choose another directory with -data", errServed, data)
			return nil, errors.Join(err, file.Close())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Close frees the directory, also where a child has inherited the file.
func (l *dataLock) Close() error {
	return errors.Join(unix.Flock(int(l.file.Fd()), unix.LOCK_UN), l.file.Close())
}

// remove removes the file of a lock that this process has made in the wrong place.
func (l *dataLock) remove() error { return os.Remove(l.file.Name()) }

// privateDir closes the data directory to others. One in which others have something is left as it is: boathook was given the wrong
// one.
func privateDir(data string) error {
	info, err := os.Stat(data)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	entries, err := os.ReadDir(data)
	if err != nil {
		return err
	}
	foreign := func(e fs.DirEntry) bool { return e.Name() != "lock" && e.Name() != "lost+found" }
	known := func(e fs.DirEntry) bool { return e.Name() == "boathook.db" }
	if slices.ContainsFunc(entries, foreign) && !slices.ContainsFunc(entries, known) {
		return fmt.Errorf("%s holds other things, and others may look into it (mode %#o): choose a directory of boathook's own with -data", data, info.Mode().Perm())
	}
	return os.Chmod(data, 0o700)
}
