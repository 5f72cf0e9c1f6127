package docker

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// spring yields so many bytes, and notes when the last one was read.
type spring struct {
	left  int
	dried time.Time
}

func (s *spring) Read(p []byte) (int, error) {
	if s.left == 0 {
		s.dried = time.Now()
		return 0, io.EOF
	}
	n := min(len(p), s.left)
	s.left -= n
	return n, nil
}

// TestAhead takes nothing for a while, and then all: what a container has on its way is read within two seconds whatever the caller does, and of one
// who is too far behind it is known.
func TestAhead(t *testing.T) {
	for _, test := range []struct {
		name       string
		size       int
		pause      time.Duration
		within     time.Duration // that all is read
		wantBehind bool
	}{
		{"a little", 40_000, time.Hour, 0, false},
		{"a pipe", aheadRoom + 64<<10, time.Hour, 2 * time.Second, false},
		{"a pause", 100 << 20, 10 * time.Second, 10 * time.Second, false},
		{"too much", aheadMost + 1<<20, time.Hour, time.Hour, true},
		{"too much, and then enough", 100 << 20, time.Hour, time.Hour, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin, from := time.Now(), &spring{left: test.size}
				a := newAhead(from, nil)
				go a.fill()
				time.Sleep(test.pause)
				taken, err := io.Copy(io.Discard, a)
				if errors.Is(err, errBehind) != test.wantBehind || taken != int64(test.size) {
					t.Errorf("%d bytes, %v", taken, err)
				}
				if after := from.dried.Sub(begin); after > test.within {
					t.Errorf("read after %s", after)
				}
			})
		})
	}
}

// TestAheadIsBounded: who takes nothing at all costs so much memory and no more.
func TestAheadIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan struct{})
		a := newAhead(&spring{left: 1 << 40}, closed)
		go a.fill()
		time.Sleep(24 * time.Hour)
		a.mu.Lock()
		kept := a.kept.Len()
		a.mu.Unlock()
		if kept < aheadMost || kept > aheadMost+32<<10 {
			t.Errorf("%d bytes are kept", kept)
		}
		close(closed)
		synctest.Wait()
		if _, err := io.Copy(&bytes.Buffer{}, a); err == nil {
			t.Error("it ends as if all had come")
		}
	})
}
