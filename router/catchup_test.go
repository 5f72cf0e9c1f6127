package router

import (
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// TestCatchUp has a router that comes back find an app renamed and a domain moved, again and again: neither host is unknown for a moment, and no app's
// claim is told to be another's.
func TestCatchUp(t *testing.T) {
	said := &said{}
	f := NewFollower(Config{Log: slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelError}))}, filepath.Join(t.TempDir(), "table"), "")
	defer f.Close()
	has := func(app string, hosts ...string) Route {
		return Route{App: app, Release: "1", Hosts: hosts, Targets: []Target{{Name: "web-1", Addr: "127.0.0.1:1"}}, Serving: true}
	}
	before := []Route{has("shop", "shop.test"), has("a", "moved.test"), has("b")}
	after := []Route{has("a"), has("b", "moved.test"), has("store", "shop.test")}
	f.replace(before)
	var watching sync.WaitGroup
	var over atomic.Bool
	for _, host := range []string{"shop.test", "moved.test"} {
		watching.Go(func() {
			for !over.Load() {
				if f.Router.table.Load().find([]byte(host)) == nil {
					t.Errorf("%s was unknown", host)
					return
				}
			}
		})
	}
	for range 2000 {
		f.replace(after)
		f.replace(before)
	}
	over.Store(true)
	watching.Wait()
	if n := said.lines.Load(); n > 0 {
		t.Errorf("%d complaints", n)
	}
}

// said counts the lines of a log.
type said struct{ lines atomic.Int64 }

func (s *said) Write(line []byte) (int, error) {
	s.lines.Add(1)
	return len(line), nil
}
