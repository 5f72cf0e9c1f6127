package runner_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"boathook/runner"
)

func TestLogKeepsTheNewestBytes(t *testing.T) {
	for _, tc := range []struct {
		name   string
		max    int
		writes []string
		want   string
	}{
		{"empty", 8, nil, ""},
		{"not full", 8, []string{"abc", "def"}, "abcdef"},
		{"just full", 6, []string{"abc", "def"}, "abcdef"},
		{"wrapped", 4, []string{"abc", "def"}, "[2 bytes of output dropped]\ncdef"},
		{"one write larger than the log", 4, []string{"0123456789"}, "[6 bytes of output dropped]\n6789"},
		{"larger than the log after a little", 4, []string{"ab", "0123456789"}, "[8 bytes of output dropped]\n6789"},
		{"wrapped twice", 3, []string{"ab", "cd", "ef", "gh"}, "[5 bytes of output dropped]\nfgh"},
		{"no room asked for", 0, []string{"abc"}, "[2 bytes of output dropped]\nc"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := runner.NewLog(tc.max)
			for _, s := range tc.writes {
				if n, err := io.WriteString(l, s); n != len(s) || err != nil {
					t.Fatalf("Write(%q) = %d, %v", s, n, err)
				}
			}
			l.Close()
			var got bytes.Buffer
			if err := l.Follow(t.Context(), &got); err != nil {
				t.Fatal(err)
			}
			if got.String() != tc.want {
				t.Errorf("got %q, want %q", got.String(), tc.want)
			}
		})
	}
}

func TestLogTail(t *testing.T) {
	for _, tc := range []struct {
		text string
		n    int
		want string
	}{
		{"a\nb\nc\n", 2, "b\nc\n"},
		{"a\nb\nc", 2, "b\nc"},
		{"a\nb\n", 5, "a\nb\n"},
		{"a\n\n", 1, "\n"},
		{"a\n", 0, ""},
		{"", 3, ""},
		{"\n", 1, "\n"},
	} {
		l := runner.NewLog(1 << 10)
		io.WriteString(l, tc.text)
		if got := string(l.Tail(tc.n)); got != tc.want {
			t.Errorf("Tail(%d) of %q = %q, want %q", tc.n, tc.text, got, tc.want)
		}
	}
}

func TestLogWriteAfterClose(t *testing.T) {
	l := runner.NewLog(8)
	l.Close()
	if _, err := io.WriteString(l, "late"); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v, want io.ErrClosedPipe", err)
	}
}

// Every follower sees everything, whenever it came.
func TestLogFollowersSeeAllInOrder(t *testing.T) {
	l := runner.NewLog(1 << 20)
	var (
		wg   sync.WaitGroup
		outs [4]bytes.Buffer
		want strings.Builder
	)
	for i := range 1000 {
		if i%250 == 0 {
			wg.Go(func() {
				if err := l.Follow(t.Context(), &outs[i/250]); err != nil {
					t.Error(err)
				}
			})
		}
		line := fmt.Sprintf("line %d\n", i)
		want.WriteString(line)
		io.WriteString(l, line)
	}
	l.Close()
	wg.Wait()
	for i := range outs {
		if outs[i].String() != want.String() {
			t.Errorf("follower %d saw %d bytes, want %d", i, outs[i].Len(), want.Len())
		}
	}
}

func TestLogTellsASlowFollowerWhatItMissed(t *testing.T) {
	l := runner.NewLog(4)
	r, w := io.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := l.Follow(t.Context(), w); err != nil {
			t.Error(err)
		}
		w.Close()
	})
	io.WriteString(l, "ab")
	first := make([]byte, 1)
	if _, err := io.ReadFull(r, first); err != nil { // the follower now hangs in the middle of its write
		t.Fatal(err)
	}
	io.WriteString(l, "0123456789")
	l.Close()
	rest, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if got, want := string(first)+string(rest), "ab\n[6 bytes of output dropped]\n6789"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLogFollowEndsWithItsContext(t *testing.T) {
	l := runner.NewLog(8)
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- l.Follow(ctx, w) }()
	io.WriteString(l, "x")
	io.ReadFull(r, make([]byte, 1))
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
