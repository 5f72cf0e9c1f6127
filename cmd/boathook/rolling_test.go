package main

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"boathook/receive/state"
)

// TestRolling restarts and resizes an app of a single web container under load: every request is answered, and the containers
// are others afterwards.
func TestRolling(t *testing.T) {
	app := buildFixture(t)
	for _, engine := range []string{"local", "docker"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			if engine == "docker" {
				needDocker(t)
			}
			w := newWalk(t, engine, app)
			b := w.serve()
			defer b.stop()
			b.manage("", "scale", "my-app", "web:1")
			for _, change := range []struct {
				name string
				do   func() error
			}{
				{"restart", func() error { return b.deployer.Restart(context.Background(), "my-app", nil) }},
				{"resize", func() error {
					return b.deployer.Scale(context.Background(), "my-app", []state.ProcessType{{Name: "web", Amount: 1, Size: "L"}, {Name: "worker", Amount: 1, Size: "M"}})
				}},
			} {
				before := b.running()
				answered := b.underLoad(change.do)
				after := b.running()
				if answered == 0 {
					t.Errorf("%s: no request was made", change.name)
				}
				if len(after) != 2 || before["1/web-1"] == after["1/web-1"] || (before["1/worker-1"] == after["1/worker-1"]) != (change.name == "resize") {
					t.Errorf("%s: %v before, %v after", change.name, before, after)
				}
			}
		})
	}
}

// underLoad does something while four clients ask; it returns the number of requests, each of which must have been answered well.
func (b *boat) underLoad(do func() error) (answered int) {
	b.w.t.Helper()
	done := make(chan struct{})
	var (
		clients sync.WaitGroup
		mu      sync.Mutex // guards answered
	)
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if code, body, err := b.ask(); err != nil || code != http.StatusOK || !strings.HasPrefix(body, "version") {
					b.w.t.Errorf("answered %d %q, %v", code, body, err)
					return
				}
				mu.Lock()
				answered++
				mu.Unlock()
			}
		})
	}
	err := do()
	close(done)
	clients.Wait()
	if err != nil {
		b.w.t.Error(err)
	}
	return answered
}
