package applog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Log is the log of one app. All methods are safe for concurrent use; no writer waits for a reader.
type Log struct {
	dir  string
	half int64 // bytes of a file

	mu         sync.Mutex // guards what follows; held while a line is written, so that lines are whole and in order
	file       *os.File   // "current"
	end        int64      // of what is written of it
	generation int        // counts the files
	sources    map[string]*source
	wake       chan struct{} // closed at the next change
	closed     bool
}

// open reads the marks of what an earlier boathook has written.
func open(dir string, size int64) (*Log, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	l := &Log{dir: dir, half: max(size/2, 4<<10), sources: map[string]*source{}, wake: make(chan struct{})}
	for _, name := range []string{"previous", "current"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		l.end = int64(bytes.LastIndexByte(text, '\n') + 1)
		l.learn(string(text[:l.end]))
	}
	file, err := os.OpenFile(filepath.Join(dir, "current"), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(file.Truncate(l.end), seek(file, l.end)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	l.file = file
	return l, nil
}

func seek(file *os.File, at int64) error {
	_, err := file.Seek(at, io.SeekStart)
	return err
}

func (l *Log) learn(text string) {
	for line := range strings.Lines(text) {
		if e, ok := decode(strings.TrimSuffix(line, "\n")); ok && e.Source != "" {
			l.source(e).mark = e.Mark
		}
	}
}

// source returns what is known of the entry's source. mu is held, or nobody else has the log.
func (l *Log) source(e Entry) *source {
	key := e.Source
	if key == "" {
		key = e.Name
	}
	s := l.sources[key]
	if s == nil {
		s = &source{name: e.Name, id: e.Source}
		l.sources[key] = s
	}
	return s
}

// Mark is the place from which on a container's output is not in the log yet, "" for its beginning.
func (l *Log) Mark(id string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.sources[id]; s != nil {
		return s.mark
	}
	return ""
}

// Forget drops what is known of a source that is gone: a container's id, or the name of one without.
func (l *Log) Forget(source string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.sources[source]; s != nil {
		_ = l.tellDropped(s) // nobody waits for it any more
		s.stop()
		delete(l.sources, source)
	}
}

// Retain forgets the containers whose ids keep does not know.
func (l *Log) Retain(keep func(id string) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, s := range l.sources {
		if s.id != "" && !keep(s.id) {
			s.stop()
			delete(l.sources, key)
		}
	}
}

// Append adds a line. If its source has written too much of late the line is dropped, and counted in a line of its own.
func (l *Log) Append(e Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrRemoved
	}
	s := l.source(e)
	if e.Mark != "" {
		s.mark = e.Mark
	}
	if !s.spend(len(e.Text), time.Now()) {
		s.drop(func() { l.flush(s) })
		return nil
	}
	if err := l.tellDropped(s); err != nil {
		return err
	}
	return l.write(e)
}

// flush tells what was dropped of a source that has become silent.
func (l *Log) flush(s *source) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.tellDropped(s) // the next line meets the same error, and returns it
}

func (l *Log) tellDropped(s *source) error {
	if s.dropped == 0 || l.closed {
		return nil
	}
	text := fmt.Sprintf("[boathook] %d lines dropped: more than %d KiB a second", s.dropped, rate>>10)
	s.stop()
	s.dropped = 0
	return l.write(Entry{At: time.Now(), Name: s.name, Text: text, Source: s.id, Mark: s.mark})
}

// write appends one line and wakes the readers. mu is held.
func (l *Log) write(e Entry) error {
	if l.end >= l.half {
		if err := l.rotate(); err != nil {
			return fmt.Errorf("app log: %w", err)
		}
	}
	n, err := l.file.Write(e.encode())
	if err != nil { // what was written of the line must not begin the next one
		return fmt.Errorf("app log: %w", errors.Join(err, l.file.Truncate(l.end), seek(l.file, l.end)))
	}
	l.end += int64(n)
	l.rouse()
	return nil
}

// rotate begins a new file with the marks of all sources. mu is held.
func (l *Log) rotate() error {
	path := filepath.Join(l.dir, "current")
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	var head []byte
	for _, s := range l.sources {
		if s.id != "" && s.mark != "" {
			head = append(head, Entry{At: time.Now(), Name: s.name, Source: s.id, Mark: s.mark, bare: true}.encode()...)
		}
	}
	if _, err = file.Write(head); err == nil {
		err = os.Rename(path, filepath.Join(l.dir, "previous"))
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	err = l.file.Close()
	l.file, l.end = file, int64(len(head))
	l.generation++
	return err
}

// rouse wakes the readers. mu is held.
func (l *Log) rouse() {
	close(l.wake)
	l.wake = make(chan struct{})
}

func (l *Log) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sources {
		_ = l.tellDropped(s)
		s.stop()
	}
	l.closed = true
	l.rouse()
	return l.file.Close()
}
