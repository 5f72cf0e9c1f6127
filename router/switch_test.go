package router_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"boathook/router"
)

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

// TestDrainCloses: nothing of an old version's connections is left when it is drained, nor one that becomes idle then.
func TestDrainCloses(t *testing.T) { onBothPaths(t, testDrainCloses) }

func testDrainCloses(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	var open atomic.Int64
	old := httptest.NewUnstartedServer(says("old"))
	old.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	old.Start()
	t.Cleanup(old.Close)
	f.Set(route(router.Target{Name: "web-1", Addr: old.Listener.Addr().String()}))
	f.get("/")
	if open.Load() == 0 {
		t.Fatal("the connection is not kept")
	}
	next := route(app(t, "web-1", says("new")))
	next.Release = "2"
	if err := f.Set(next).Wait(t.Context()); err != nil {
		t.Error(err)
	}
	eventually(t, "the old version's connections are closed", func() bool { return open.Load() == 0 })
}

func TestDrainClose(t *testing.T) { onBothPaths(t, testDrainClose) }

func testDrainClose(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	begun := make(chan struct{})
	f.Set(route(app(t, "web-1", func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	})))
	done := make(chan outcome, 1)
	go func() {
		got, err := send(http.DefaultClient, f.request(t.Context(), "GET", "/", nil))
		done <- outcome{got, err}
	}()
	<-begun
	drain := f.Remove("shop")
	drain.Close()
	if err := drain.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if got := <-done; got.err != nil || got.status != 503 || got.reason() != "version replaced" {
		t.Errorf("%d %q, %v", got.status, got.reason(), got.err)
	}
}

// piped is a listener that takes a given connection before those that come to it.
type piped struct {
	net.Listener
	first net.Conn
}

func (p *piped) Accept() (net.Conn, error) {
	if c := p.first; c != nil {
		p.first = nil
		return c, nil
	}
	return p.Listener.Accept()
}

// TestDrainOfSlowReader: who is slow to read the last piece of an answer, which the container has given whole, holds no Drain up, and gets all of it.
func TestDrainOfSlowReader(t *testing.T) {
	log := newAccessLines()
	r := router.New(router.Config{AccessLog: log})
	t.Cleanup(func() { _ = r.Close() })
	r.Set(route(app(t, "web-1", says("whole"))))
	ours, theirs := net.Pipe() // nothing lies between: what is written has been read
	frontBy(t, fast, r, func(s *router.Server, l net.Listener) error {
		return s.Serve(&piped{l, theirs})
	})
	_ = ours.SetDeadline(time.Now().Add(2 * patience))
	write(t, ours, "GET /slow HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
	in := bufio.NewReaderSize(ours, 16)
	if _, err := in.Peek(1); err != nil {
		t.Fatal(err)
	}
	drain := r.Remove("shop")
	drain.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := drain.Wait(ctx); err != nil {
		t.Error(err)
	}
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "whole" {
		t.Errorf("%q, %v", body, err)
	}
	eventually(t, "the request is in the access log", func() bool { return len(log.all()) == 1 })
	if diff := cmp.Diff([]string{"GET 200 5 "}, log.all()); diff != "" {
		t.Error(diff)
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
