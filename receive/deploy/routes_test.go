package deploy

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"boathook/router"
	"boathook/runner"
)

// answers is an engine that is asked for lists only, each answered by the next function for its app.
type answers struct {
	runner.Engine
	snapshots chan []runner.Instance

	mu   sync.Mutex // guards next
	next map[string][]func() []runner.Instance
}

func (a *answers) List(_ context.Context, sel runner.Selector) ([]runner.Instance, error) {
	a.mu.Lock()
	answer := a.next[sel.App][0]
	if len(a.next[sel.App]) > 1 {
		a.next[sel.App] = a.next[sel.App][1:]
	}
	a.mu.Unlock()
	return answer(), nil
}

func (a *answers) Watch(context.Context, runner.Selector) (<-chan []runner.Instance, error) {
	return a.snapshots, nil
}

// newTable makes routes of an engine's answers until the test ends.
func newTable(t *testing.T, e *answers) (*routes, *router.Router) {
	t.Helper()
	table := router.New(router.Config{})
	ctx, stop := context.WithCancel(context.Background())
	r := newRoutes(&Deployer{Config: Config{Engine: e, Router: table, AppsURL: &url.URL{Host: "example.com"}, Log: slog.New(slog.DiscardHandler)}, stop: ctx})
	t.Cleanup(func() {
		stop()
		r.probes.Wait()
		check(t, table.Close())
	})
	return r, table
}

func webAt(app, addr string) runner.Instance {
	return runner.Instance{Group: runner.Group{App: app, Release: "1", Type: web}, ID: app, Number: 1, Phase: runner.Running, Addr: addr, Started: time.Unix(1, 0)}
}

func targets(table *router.Router, app string) int {
	for _, route := range table.Routes() {
		if route.App == app {
			return len(route.Targets)
		}
	}
	return 0
}

// An answer of the engine that was overtaken by a newer one, whose container is just being dialed, does not make it forgotten: it is in the table
// once it accepts.
func TestOvertakenAnswer(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	addr := closed.Addr().String()
	check(t, closed.Close())
	for range 200 { // the moment is short
		asked, late := make(chan bool), make(chan bool)
		e := &answers{next: map[string][]func() []runner.Instance{"my-app": {
			func() []runner.Instance { close(asked); <-late; return nil },
			func() []runner.Instance { close(late); return []runner.Instance{webAt("my-app", addr)} },
		}}}
		r, _ := newTable(t, e)
		r.live("my-app", "1", nil)
		over, others := make(chan bool), sync.WaitGroup{}
		for range 4 { // others at the table, as the reconciler is: they are what lets one answer overtake another
			others.Go(func() {
				for {
					select {
					case <-over:
						return
					default:
						r.accepted(webAt("my-app", addr))
					}
				}
			})
		}
		var older sync.WaitGroup
		older.Go(func() { check(t, r.refresh(t.Context(), "my-app")) })
		<-asked
		check(t, r.refresh(t.Context(), "my-app"))
		older.Wait()
		close(over)
		others.Wait()
		r.mu.Lock()
		probing := len(r.served["my-app"].probing)
		r.mu.Unlock()
		if probing != 1 {
			t.Fatal("the container is not asked any more whether it accepts")
		}
	}
}

// An app of which the engine is long in answering, or whose container is, does not hold up what there is to tell of another.
func TestChangesSideBySide(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer listener.Close()
	release := make(chan bool)
	e := &answers{snapshots: make(chan []runner.Instance), next: map[string][]func() []runner.Instance{}}
	r, table := newTable(t, e)
	var all []runner.Instance
	for n := range 20 {
		i := webAt(fmt.Sprint("app-", n), listener.Addr().String())
		e.next[i.App] = []func() []runner.Instance{func() []runner.Instance { <-release; return nil }}
		if n == 10 {
			e.next[i.App] = []func() []runner.Instance{func() []runner.Instance { return []runner.Instance{i} }}
		}
		all = append(all, i)
		r.live(i.App, "1", nil)
	}
	ctx, stop := context.WithCancel(t.Context())
	var following sync.WaitGroup
	following.Go(func() { r.follow(ctx, func(string) {}) })
	e.snapshots <- all
	eventually(t, "the app that answers is in the table", func() bool { return targets(table, "app-10") == 1 })
	close(release)
	stop()
	close(e.snapshots)
	following.Wait()
}
