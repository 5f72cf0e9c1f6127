package gitpack

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A client that stops reading while the build prints counts as gone after the stall time, once: what is printed later is
// thrown away at once, and what was waiting is bounded.
func TestClientStopsReading(t *testing.T) {
	for name, writer := range map[string]func(*stream) io.Writer{
		"sideband": func(s *stream) io.Writer { return band{s, bandProgress} },
		"plain":    func(s *stream) io.Writer { return plain{s} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, w := io.Pipe() // nobody reads
				ctx, cancel := context.WithCancelCause(t.Context())
				limits := Limits{}.withDefaults()
				s := startStream(w, limits, true, func() { cancel(ErrClientGone) })
				out := writer(s)
				start := time.Now()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				line := []byte(strings.Repeat("x", 1<<20))
				for ctx.Err() == nil {
					out.Write(line)
				}
				if lasted := time.Since(start); lasted != limits.Stall {
					t.Errorf("gone after %s, want %s", lasted, limits.Stall)
				}
				for range 1000 {
					out.Write(line)
				}
				if err := s.close(); !errors.Is(err, ErrClientGone) || time.Since(start) != limits.Stall {
					t.Errorf("close: %v, after %s", err, time.Since(start))
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > 8<<20 {
					t.Errorf("%d bytes are held for a client that does not read", held)
				}
				if cause := context.Cause(ctx); !errors.Is(cause, ErrClientGone) {
					t.Errorf("cause %v", cause)
				}
				r.Close() // as the end of the session does
			})
		})
	}
}

// A slow reader is not a gone one.
func TestClientReadsSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		limits := Limits{}.withDefaults()
		s := startStream(w, limits, true, func() { t.Error("taken for gone") })
		read := make(chan int)
		go func() {
			total, buffer := 0, make([]byte, 32<<10)
			for {
				n, err := r.Read(buffer)
				total += n
				if err != nil {
					read <- total
					return
				}
				time.Sleep(limits.Stall / 4) // of the bubble's clock
			}
		}()
		line := []byte(strings.Repeat("x", 1<<20))
		out := band{s, bandProgress}
		for range 4 {
			out.Write(line)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
		w.Close()
		if total := <-read; total < 4<<20 {
			t.Errorf("%d bytes arrived", total)
		}
	})
}

// Somebody who clones and does not read ends the git process that serves it.
func TestCloneStopsReading(t *testing.T) {
	w := newWorld(t)
	tip, whole := simplePush()
	if exit := w.repos.ReceivePack(t.Context(), "my-app", input(t, "report-status", master, tip.id(), whole), io.Discard, io.Discard, testHandler("publish")); exit != 0 {
		t.Fatal(exit)
	}
	w.repos.limits.Stall = 50 * time.Millisecond
	r, stdout := io.Pipe() // nobody reads
	defer r.Close()
	in, stdin := io.Pipe()
	defer stdin.Close()
	if exit := w.repos.UploadPack(t.Context(), "my-app", in, stdout, io.Discard); exit != 128 {
		t.Errorf("exit %d", exit)
	}
	if left := children(); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
}
