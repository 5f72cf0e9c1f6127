package router_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"boathook/router"
)

// TestSuccession hands a listening socket from one Server to the next, again and again, while clients open a connection for each request. Every
// request is answered: one that waits for a Server to accept it by the next one, and one on a connection that was accepted by the one which did.
func TestSuccession(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) { testSuccession(t, p) })
	}
}

// another is one more listener on the socket of l, which is open until all of them are closed.
func another(t *testing.T, l net.Listener) net.Listener {
	t.Helper()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if l, err = net.FileListener(file); err != nil {
		t.Fatal(err)
	}
	return l
}

func testSuccession(t *testing.T, p protocol) {
	r := router.New(router.Config{})
	t.Cleanup(func() { _ = r.Close() })
	r.Set(route(app(t, "web-1", says("ok"))))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	begin := func() *router.Server {
		s := router.NewServer(r)
		router.AwaitNewcomers(s, time.Minute)
		go p.serve(t, s, another(t, listener)) // until Shutdown
		return s
	}
	server := begin()
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var answered atomic.Int64
	for range 8 {
		load.Go(func() {
			for ctx.Err() == nil {
				ask, hangUp := p.connect(t, listener.Addr().String(), "GET", "")
				if got, err := ask(t.Context()); err != nil || got.body != "ok" {
					t.Errorf("%d %q, %v", got.status, got.body, err)
				}
				hangUp()
				answered.Add(1)
			}
		})
	}
	for range 20 {
		before := answered.Load()
		next := begin()
		if err := server.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		server = next
		eventually(t, "requests are answered", func() bool { return answered.Load() > before+8 })
	}
	stop()
	load.Wait()
	if err := server.Close(); err != nil {
		t.Error(err)
	}
}
