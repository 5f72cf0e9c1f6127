package applog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func openStore(t *testing.T, dir string, size int64) *Store {
	t.Helper()
	s, err := Open(dir, size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func logOf(t *testing.T, s *Store, app int64) *Log {
	t.Helper()
	l, err := s.Log(app)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func add(t *testing.T, l *Log, e Entry) {
	t.Helper()
	if err := l.Append(e); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, l *Log, q Query) (texts []string) {
	t.Helper()
	err := l.Read(t.Context(), q, func(e Entry) error { texts = append(texts, e.Name+" "+e.Text); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestReadsInOrderOfTime(t *testing.T) {
	l := logOf(t, openStore(t, t.TempDir(), 1<<20), 1)
	for i, e := range []Entry{
		{Name: "web-1", Text: "b", At: noon.Add(2)}, {Name: "web-2", Text: "a", At: noon.Add(1)},
		{Name: "web-1", Text: "c", At: noon.Add(2)}, {Name: "worker-1", Text: "  d\te ", At: noon.Add(3)}, {Name: "web-1", Text: "", At: noon.Add(4)},
	} {
		e.Source, e.Mark = "id", fmt.Sprint(i)
		add(t, l, e)
	}
	for want, q := range map[string]Query{
		"web-2 a|web-1 b|web-1 c|worker-1   d\te |web-1 ": {},
		"worker-1   d\te |web-1 ":                         {Lines: 2},
		"web-2 a":                                         {Lines: 9, Match: func(name string) bool { return name == "web-2" }},
	} {
		if got := strings.Join(read(t, l, q), "|"); got != want {
			t.Errorf("%+v: %q, want %q", q, got, want)
		}
	}
	if got, want := (Entry{At: noon, Name: "web-1", Text: "x"}).String(), "2026-01-02T12:00:00.000000Z [web-1] x"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// However many lines are asked for, what is kept comes.
func TestAsksForMoreThanThereCanBe(t *testing.T) {
	l := logOf(t, openStore(t, t.TempDir(), 1<<20), 1)
	for _, text := range []string{"one", "two"} {
		add(t, l, Entry{At: noon, Name: "web-1", Text: text})
	}
	for _, lines := range []int{math.MaxInt/2 - disorder + 1, math.MaxInt - disorder, math.MaxInt - disorder + 1, math.MaxInt} {
		if got := strings.Join(read(t, l, Query{Lines: lines}), "|"); got != "web-1 one|web-1 two" {
			t.Errorf("%d: %q", lines, got)
		}
	}
}

// A crash leaves a torn line: it is cut off, and the source's mark is that of the line before, so that it comes again.
func TestGoesOnAfterACrash(t *testing.T) {
	dir := t.TempDir()
	l := logOf(t, openStore(t, dir, 1<<20), 7)
	add(t, l, Entry{At: noon, Name: "web-1", Text: "one", Source: "id", Mark: "3"})
	add(t, l, Entry{At: noon, Name: "web-1", Text: "two", Source: "id", Mark: "6"})
	path := filepath.Join(dir, "7", "current")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(text) {
		if err := os.WriteFile(path, text[:len(text)-cut], 0o600); err != nil {
			t.Fatal(err)
		}
		again := openStore(t, dir, 1<<20)
		l := logOf(t, again, 7)
		lines := read(t, l, Query{})
		if want := []string{"", "3", "6"}[len(lines)]; l.Mark("id") != want {
			t.Fatalf("%d bytes lost: mark %q with %q", cut, l.Mark("id"), lines)
		}
		add(t, l, Entry{At: noon, Name: "web-1", Text: "next"})
		if got := read(t, l, Query{Lines: 1}); got[0] != "web-1 next" {
			t.Fatalf("%d bytes lost: %q", cut, got)
		}
	}
}

// The files stay within the bound, and a source that was silent for all of them keeps its mark.
func TestBound(t *testing.T) {
	dir := t.TempDir()
	const size = 64 << 10
	l := logOf(t, openStore(t, dir, size), 1)
	add(t, l, Entry{At: noon, Name: "worker-1", Text: "once", Source: "silent", Mark: "77"})
	add(t, l, Entry{At: noon, Name: "worker-2", Text: "once", Source: "gone", Mark: "78"})
	l.Forget("gone")
	for i := range 5000 {
		add(t, l, Entry{At: noon.Add(time.Duration(i)), Name: "web-1", Text: fmt.Sprint("line ", i), Source: "loud", Mark: fmt.Sprint(i)})
	}
	var total int64
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		info, infoErr := d.Info()
		if err = errors.Join(err, infoErr); err == nil && !d.IsDir() {
			total += info.Size()
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v", path, info.Mode())
			}
		}
		return err
	})
	if err != nil || total > size+size/8 {
		t.Errorf("%d bytes on disk, %v", total, err)
	}
	again := logOf(t, openStore(t, dir, size), 1)
	if again.Mark("silent") != "77" || again.Mark("gone") != "" || again.Mark("loud") != "4999" {
		t.Errorf("marks %q, %q, %q", again.Mark("silent"), again.Mark("gone"), again.Mark("loud"))
	}
	if got := read(t, again, Query{Lines: 2}); strings.Join(got, "|") != "web-1 line 4998|web-1 line 4999" {
		t.Errorf("newest: %q", got)
	}
}

// Who prints without end loses lines, is told how many, and does not keep others from being heard.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := logOf(t, openStore(t, t.TempDir(), 64<<20), 1)
		const flood = 100_000
		for i := range flood {
			add(t, l, Entry{At: time.Now(), Name: "web-1", Text: "noise", Source: "loud", Mark: fmt.Sprint(i)})
		}
		add(t, l, Entry{At: time.Now(), Name: "web-2", Text: "heard", Source: "other", Mark: "1"})
		time.Sleep(2 * tellAfter) // virtual
		add(t, l, Entry{At: time.Now(), Name: "web-1", Text: "calm", Source: "loud", Mark: "end"})
		kept, dropped := 0, 0
		tail := read(t, l, Query{})
		for _, line := range tail {
			switch {
			case line == "web-1 noise":
				kept++
			case strings.HasPrefix(line, "web-1 [boathook]"):
				if _, err := fmt.Sscanf(line, "web-1 [boathook] %d lines dropped", &dropped); err != nil {
					t.Error(err)
				}
			}
		}
		if kept == 0 || dropped == 0 || kept+dropped != flood || tail[len(tail)-1] != "web-1 calm" || !strings.Contains(strings.Join(tail, "|"), "|web-2 heard|") {
			t.Errorf("kept %d and dropped %d of %d; last %q", kept, dropped, flood, tail[len(tail)-2:])
		}
		if l.Mark("loud") != "end" {
			t.Errorf("mark %q", l.Mark("loud"))
		}
	})
}

// Every follower gets every line once and in order, over changes of the file; one that hangs holds nobody up.
func TestFollowers(t *testing.T) {
	s := openStore(t, t.TempDir(), 1<<20)
	l := logOf(t, s, 1)
	const lines = 12_000 // about one file
	hung := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		_ = l.Read(t.Context(), Query{Follow: true}, func(Entry) error { <-hung; return nil })
	})
	add(t, l, Entry{At: noon, Name: "web-1", Text: "0"})
	for range 3 {
		reading.Go(func() {
			next := 0
			err := l.Read(t.Context(), Query{Follow: true}, func(e Entry) error {
				if e.Text != fmt.Sprint(next) {
					return fmt.Errorf("got %q, want %d", e.Text, next)
				}
				next++
				return nil
			})
			if err != nil || next != lines {
				t.Errorf("%d lines, %v", next, err)
			}
		})
	}
	for i := 1; i < lines; i++ {
		add(t, l, Entry{At: noon, Name: "web-1", Text: fmt.Sprint(i)})
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	close(hung)
	reading.Wait()
}

func TestFollowEnds(t *testing.T) {
	s := openStore(t, t.TempDir(), 1<<20)
	why := errors.New("it is over")
	ctx, leave := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	l := logOf(t, s, 1)
	follow := func(ctx context.Context) {
		ended <- l.Read(ctx, Query{Follow: true}, func(Entry) error { return nil })
	}
	go follow(ctx)
	leave(why)
	if err := <-ended; !errors.Is(err, why) {
		t.Errorf("reader gone: %v", err)
	}
	go follow(t.Context())
	if err := s.Remove(1); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("log gone: %v", err)
	}
	if err := l.Append(Entry{Name: "web-1"}); !errors.Is(err, ErrRemoved) {
		t.Errorf("append to a removed log: %v", err)
	}
	if _, err := s.Log(1); !errors.Is(err, ErrRemoved) {
		t.Errorf("a removed log: %v", err)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "1")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its directory: %v", err)
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, 1<<20)
	logOf(t, s, 1)
	logOf(t, s, 2)
	if err := s.Sweep(func(app int64) bool { return app == 2 }); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Log(1); !errors.Is(err, ErrRemoved) {
		t.Errorf("log 1: %v", err)
	}
	logOf(t, s, 2)
}
