// Package applog keeps what the apps, their hooks and the router print: one log an app, on disk, within a bound, in order, for any
// number of readers. Values of variables are not masked here: what an app prints is the app's own, as on other platforms.
//
// On disk an app has the directory ID, 0700, named by its number since an app may be renamed, with the files "current" and "previous", 0600.
// A line of them is
//
//	2026-01-02T03:04:05.000000006Z web-1 SOURCE MARK text
//
// with SOURCE the container's id and MARK the place in its output after the line, both "-" for what has none. Without the blank after MARK it
// is no line of an app but tells a mark only. A file begins with the marks of all sources, so that one file is enough to know where to go on.
// When "current" has half of the log's size it becomes "previous". What a crash has left of a last line is cut off.
package applog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// ErrRemoved is the answer of a log that was removed with its app.
var ErrRemoved = errors.New("the app's log was removed")

// Store holds the logs of all apps. Close it when done.
type Store struct {
	dir  string
	size int64

	mu      sync.Mutex // guards what follows
	logs    map[int64]*Log
	removed map[int64]bool // numbers of apps are never used again
}

// Open opens the logs below dir, which is made if missing; each takes at most about size bytes.
func Open(dir string, size int64) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("app logs: %w", err)
	}
	return &Store{dir: dir, size: size, logs: map[int64]*Log{}, removed: map[int64]bool{}}, nil
}

// Log returns the log of an app, by the app's number.
func (s *Store) Log(app int64) (*Log, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.removed[app] {
		return nil, ErrRemoved
	}
	if l := s.logs[app]; l != nil {
		return l, nil
	}
	l, err := open(filepath.Join(s.dir, strconv.FormatInt(app, 10)), s.size)
	if err != nil {
		return nil, fmt.Errorf("log of app %d: %w", app, err)
	}
	s.logs[app] = l
	return l, nil
}

// Remove ends an app's log and deletes it. Its readers return.
func (s *Store) Remove(app int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removed[app] = true
	if l := s.logs[app]; l != nil {
		delete(s.logs, app)
		if err := l.close(); err != nil {
			return fmt.Errorf("log of app %d: %w", app, err)
		}
	}
	if err := os.RemoveAll(filepath.Join(s.dir, strconv.FormatInt(app, 10))); err != nil {
		return fmt.Errorf("log of app %d: %w", app, err)
	}
	return nil
}

// Sweep removes the logs of apps that keep does not know.
func (s *Store) Sweep(keep func(app int64) bool) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("app logs: %w", err)
	}
	var errs []error
	for _, entry := range entries {
		if app, err := strconv.ParseInt(entry.Name(), 10, 64); err == nil && !keep(app) {
			errs = append(errs, s.Remove(app))
		}
	}
	return errors.Join(errs...)
}

// Close ends all logs and their readers.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for app, l := range s.logs {
		errs = append(errs, l.close())
		delete(s.logs, app)
	}
	return errors.Join(errs...)
}
