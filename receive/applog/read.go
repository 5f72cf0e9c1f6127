package applog

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Query chooses from a log.
type Query struct {
	Lines  int                    // the last so many, 0 all that is kept
	Follow bool                   // go on until ctx ends
	Match  func(name string) bool // nil all
}

// disorder is how many lines more than asked for are looked at, as those of different containers are not quite in order of time.
const disorder = 1000

// Read calls each with the lines that are kept, in order of time, and then, if it is to follow, with those that come, as they come. It
// returns nil at the end, or when the log is removed, else ctx's cause or the error of each. A reader that is so slow that a file is gone before
// it was read is told so.
func (l *Log) Read(ctx context.Context, q Query, each func(Entry) error) error {
	r := &reader{log: l, query: q}
	defer r.close()
	kept, err := r.open()
	if err != nil {
		return fmt.Errorf("app log: %w", err)
	}
	whileWanted := func(e Entry) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return each(e)
	}
	for _, e := range kept {
		if err := whileWanted(e); err != nil {
			return err
		}
	}
	if !q.Follow {
		return nil
	}
	return r.follow(ctx, whileWanted)
}

// reader is at a place of a log. It holds the file that it reads open, which may be renamed or deleted meanwhile.
type reader struct {
	log   *Log
	query Query

	file       *os.File
	generation int
	at         int64
}

func (r *reader) close() {
	if r.file != nil {
		r.file.Close() // only read
	}
}

// open returns what is kept and chosen, and leaves the reader behind it.
func (r *reader) open() ([]Entry, error) {
	previous, end, err := r.first()
	if err != nil {
		return nil, err
	}
	var kept []Entry
	limit := min(r.query.Lines, math.MaxInt-disorder) + disorder // of any number that was asked for
	keep := func(e Entry) error {
		kept = append(kept, e)
		if r.query.Lines > 0 && len(kept)-limit >= limit {
			kept = slices.Delete(kept, 0, len(kept)-limit)
		}
		return nil
	}
	if previous != nil {
		_, err = r.scan(previous, keep)
		if err = errors.Join(err, previous.Close()); err != nil {
			return nil, err
		}
	}
	if _, err := r.scan(io.NewSectionReader(r.file, 0, end), keep); err != nil {
		return nil, err
	}
	r.at = end
	slices.SortStableFunc(kept, func(a, b Entry) int { return a.At.Compare(b.At) })
	if n := r.query.Lines; n > 0 && len(kept) > n {
		kept = kept[len(kept)-n:]
	}
	return kept, nil
}

// first opens both files as they are at one moment. previous may be nil.
func (r *reader) first() (previous *os.File, end int64, err error) {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.file, err = os.Open(filepath.Join(l.dir, "current")); err != nil {
		return nil, 0, err
	}
	previous, err = os.Open(filepath.Join(l.dir, "previous"))
	if errors.Is(err, fs.ErrNotExist) {
		previous, err = nil, nil
	}
	r.generation = l.generation
	return previous, l.end, err
}

// scan calls each with the chosen lines of a part of a file and returns its length.
func (r *reader) scan(part io.Reader, each func(Entry) error) (n int64, err error) {
	lines := bufio.NewReader(part)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		n += int64(len(line))
		e, ok := decode(strings.TrimSuffix(line, "\n"))
		if !ok || e.bare || r.query.Match != nil && !r.query.Match(e.Name) {
			continue
		}
		if err := each(e); err != nil {
			return n, err
		}
	}
}

// follow tells what comes until ctx ends or the log does.
func (r *reader) follow(ctx context.Context, each func(Entry) error) error {
	for {
		wake, generation, end, closed := r.log.place()
		if generation != r.generation {
			end = 1<<63 - 1 // of a file that is complete
		}
		n, err := r.scan(io.NewSectionReader(r.file, r.at, end-r.at), each)
		if err != nil {
			return err
		}
		r.at += n
		switch {
		case generation != r.generation:
			err := r.next(each)
			if errors.Is(err, fs.ErrNotExist) {
				return nil // removed with its app
			}
			if err != nil {
				return err
			}
			continue
		case closed:
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// place is where the log ends now; wake is closed at the next change.
func (l *Log) place() (wake <-chan struct{}, generation int, end int64, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wake, l.generation, l.end, l.closed
}

// next goes to the file after the one that is read to its end, or to the newest one if that is gone.
func (r *reader) next(each func(Entry) error) error {
	l := r.log
	l.mu.Lock()
	name, generation := "current", l.generation
	if l.generation == r.generation+2 {
		name, generation = "previous", l.generation-1
	}
	file, err := os.Open(filepath.Join(l.dir, name))
	l.mu.Unlock()
	if err != nil {
		return err
	}
	missed := generation != r.generation+1
	r.close()
	r.file, r.generation, r.at = file, generation, 0
	if !missed {
		return nil
	}
	return each(Entry{At: time.Now(), Name: "boathook", Text: "lines left out: they came faster than they were read"})
}
