package router

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestProbes counts the seconds until a container is let back in: almost at once, then later after each failed probe, up to sixteen seconds, and later
// also from quarantine to quarantine as long as it has not answered in between.
func TestProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // guards what follows
		var begin time.Time
		var probes []time.Duration
		accepts := false
		r := New(Config{Dial: func(context.Context, string, string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			probes = append(probes, time.Since(begin))
			if !accepts {
				return nil, errors.New("connection refused")
			}
			ours, theirs := net.Pipe()
			return ours, theirs.Close()
		}})
		target := r.newTarget("shop", Target{Name: "web-1"})
		quarantine := func(pause time.Duration) (at []time.Duration) {
			mu.Lock()
			begin, probes = time.Now(), nil
			mu.Unlock()
			r.quarantine(target, &dialError{errors.New("connection refused")})
			time.Sleep(pause)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return probes
		}
		const ms = time.Millisecond
		want := []time.Duration{50 * ms, 300 * ms, 800 * ms, 1800 * ms, 3800 * ms, 7800 * ms, 15800 * ms, 31800 * ms, 47800 * ms}
		if diff := cmp.Diff(want, quarantine(48*time.Second)); diff != "" || !target.quarantined() {
			t.Errorf("probes that fail (-want +got):\n%s", diff)
		}
		mu.Lock()
		accepts = true
		mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if target.quarantined() {
			t.Error("a probe that succeeds changes nothing")
		}
		for _, first := range []time.Duration{250 * ms, 500 * ms, 1000 * ms, 2000 * ms, 4000 * ms, 8000 * ms, 16000 * ms, 16000 * ms} {
			if diff := cmp.Diff([]time.Duration{first}, quarantine(time.Minute)); diff != "" || target.quarantined() {
				t.Errorf("first probe after one more failure (-want +got):\n%s", diff)
			}
		}
		target.fine()
		if diff := cmp.Diff([]time.Duration{50 * ms}, quarantine(time.Minute)); diff != "" {
			t.Errorf("first probe after an answer (-want +got):\n%s", diff)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestHealth: who cannot be reached is worse off than who has dropped a connection, and no answer ends a quarantine before its probe.
func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Config{Probe: time.Hour, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("connection refused") }})
		target := r.newTarget("shop", Target{Name: "web-1"})
		is := func(want health) {
			t.Helper()
			synctest.Wait()
			if got := health(target.health.Load()); got != want {
				t.Errorf("health %d, want %d", got, want)
			}
		}
		r.quarantine(target, errors.New("connection reset"))
		is(dropping)
		target.fine()
		is(dropping)
		r.quarantine(target, &dialError{errors.New("connection refused")})
		is(unreachable)
		target.fine()
		is(unreachable)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestDefaults are the limits that the platform's users know.
func TestDefaults(t *testing.T) {
	c := Config{}.withDefaults()
	got := map[string]any{"first byte": c.FirstByte, "idle": c.Idle, "queue": c.Queue, "body": c.MaxBody, "header": c.MaxHeader}
	want := map[string]any{"first byte": 30 * time.Second, "idle": time.Minute, "queue": 50, "body": int64(75 << 20), "header": 32 << 10}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestIsText tells what is packed.
func TestIsText(t *testing.T) {
	for name, want := range map[string]bool{
		"text/html": true, "text/css; charset=utf-8": true, "TEXT/Plain": true, "text/event-stream": false, "text/event-stream; charset=utf-8": false,
		"application/javascript": true, "application/x-javascript": true, "application/json": true, "application/xml": true, "application/ld+json": true,
		"application/atom+xml": true, "image/svg+xml": true, "application/wasm": true, "application/vnd.ms-fontobject": true, "font/ttf": true, "font/otf": true,
		"font/woff2": false, "image/png": false, "video/mp4": false, "application/octet-stream": false, "application/zip": false, "": false,
	} {
		if isText(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
