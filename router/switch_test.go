package router_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"boathook/router"
)

// TestSwitchUnderLoad replaces the version again and again while clients ask. Every request is answered by a version that was
// live while it was under way: none fails, none on a connection goes back to an older one, and what was drained is
// asked no more.
func TestSwitchUnderLoad(t *testing.T) { onBothPaths(t, testSwitchUnderLoad) }

func testSwitchUnderLoad(t *testing.T, on path) {
	const switches, clients = 300, 16
	f := newFront(t, on, router.Config{Queue: 1000})
	var drained atomic.Int64 // highest version whose Drain has returned
	version := func(n int64) router.Route {
		serve := func(w http.ResponseWriter, _ *http.Request) {
			if n <= drained.Load() {
				t.Errorf("version %d was asked after its drain", n)
			}
			_, _ = fmt.Fprint(w, n)
		}
		next := route(app(t, "web-1", serve), app(t, "web-2", serve))
		next.Release = strconv.FormatInt(n, 10)
		return next
	}
	f.Set(version(1))
	var live, answered atomic.Int64
	live.Store(1)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for range clients {
		load.Go(func() {
			client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}} // one connection
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				atLeast := live.Load()
				got, err := send(client, f.request(t.Context(), "GET", "/", nil))
				if err != nil || got.status != 200 {
					t.Errorf("%d %q, %v", got.status, got.body, err)
					return
				}
				if n, err := strconv.ParseInt(got.body, 10, 64); err != nil || n < atLeast {
					t.Errorf("version %q answered after Set(%d) had returned", got.body, atLeast)
				}
				answered.Add(1)
			}
		})
	}
	for n := int64(2); n <= switches; n++ {
		next, before := version(n), answered.Load()
		drain := f.Set(next)
		live.Store(n)
		if err := drain.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		drained.Store(n - 1)
		eventually(t, "requests are answered", func() bool { return answered.Load() > before || t.Failed() })
	}
	stop()
	load.Wait()
	t.Logf("%d requests through %d switches", answered.Load(), switches)
}

func TestDrain(t *testing.T) { onBothPaths(t, testDrain) }

func testDrain(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	arrived, proceed := make(chan bool), make(chan bool)
	f.Set(route(app(t, "web-1", func(w http.ResponseWriter, _ *http.Request) {
		arrived <- true
		<-proceed
		_, _ = w.Write([]byte("old"))
	})))
	done := make(chan outcome, 1)
	go func() {
		got, err := send(http.DefaultClient, f.request(t.Context(), "GET", "/", nil))
		done <- outcome{got, err}
	}()
	<-arrived
	next := route(app(t, "web-1", says("new")))
	next.Release = "2"
	drain := f.Set(next)
	if got := f.get("/"); got.body != "new" {
		t.Errorf("after the switch: %q", got.body)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := drain.Wait(ended); !errors.Is(err, context.Canceled) || drain.InFlight() != 1 {
		t.Errorf("Wait = %v with %d in flight", err, drain.InFlight())
	}
	close(proceed)
	if err := drain.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if got := <-done; got.err != nil || got.body != "old" {
		t.Errorf("request in flight: %q, %v", got.body, got.err)
	}
}

func TestDrainClose(t *testing.T) { onBothPaths(t, testDrainClose) }

func testDrainClose(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	f.Set(route(silent(t)))
	done := make(chan outcome, 1)
	go func() {
		got, err := send(http.DefaultClient, f.request(t.Context(), "GET", "/", nil))
		done <- outcome{got, err}
	}()
	arrived := func() bool { return router.InFlight(f.Router, "shop") == 1 }
	eventually(t, "the request is in flight", arrived)
	drain := f.Remove("shop")
	drain.Close()
	if err := drain.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if got := <-done; got.err != nil || got.status != 503 || got.reason() != "version replaced" {
		t.Errorf("%d %q, %v", got.status, got.reason(), got.err)
	}
}

// TestScale keeps what stays and drains what goes.
func TestScale(t *testing.T) { onBothPaths(t, testScale) }

func testScale(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	one, two := app(t, "web-1", says("1")), app(t, "web-2", says("2"))
	f.Set(route(one))
	if err := f.Set(route(one, two)).Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if got := f.get("/").body + f.get("/").body; got != "12" {
		t.Errorf("turns = %s", got)
	}
	if err := f.Set(route(two)).Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if got := f.get("/").body + f.get("/").body; got != "22" {
		t.Errorf("turns = %s", got)
	}
}

// TestWebSocket echoes through an upgraded connection, which a Drain waits for and can sever.
func TestWebSocket(t *testing.T) { onBothPaths(t, testWebSocket) }

func testWebSocket(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	f.Set(route(app(t, "web-1", func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", r.Header.Get("Upgrade"))
		_, _ = rw.WriteTo(conn)
	})))
	conn, r := f.dial()
	write(t, conn, "GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != 101 || !strings.EqualFold(res.Header.Get("Upgrade"), "websocket") {
		t.Fatal(res, err)
	}
	for _, message := range []string{"one\n", "two\n"} {
		write(t, conn, "%s", message)
		if got, err := r.ReadString('\n'); err != nil || got != message {
			t.Fatalf("%q, %v", got, err)
		}
	}
	drain := f.Remove("shop")
	if got := drain.InFlight(); got != 1 {
		t.Errorf("%d in flight", got)
	}
	drain.Close()
	if err := drain.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := r.ReadByte(); err == nil {
		t.Error("the connection is still open")
	}
}
