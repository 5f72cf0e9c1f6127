package router_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"boathook/router"
)

// silent accepts and reads a request, and answers only when the test ends.
func silent(t *testing.T) router.Target {
	return app(t, "web-1", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
}

// refusing is a container that does not listen, at a port that nobody else gets.
func refusing(t *testing.T, name string) router.Target {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0) // bound, and never to listen: so nobody else gets the port meanwhile
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Close(fd); err != nil {
			t.Error(err)
		}
	})
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return router.Target{Name: name, Addr: fmt.Sprint("127.0.0.1:", at.(*syscall.SockaddrInet4).Port)}
}

func TestRefusals(t *testing.T) { onBothPaths(t, testRefusals) }

func testRefusals(t *testing.T, on path) {
	rest := router.Route{App: "shop", Release: "1", Hosts: []string{"shop.test"}}
	for _, test := range []struct {
		name   string
		cfg    router.Config
		route  func(t *testing.T) router.Route
		method string
		body   string
		edit   func(*http.Request)
		status int
		reason string
	}{
		{name: "unknown host", route: func(*testing.T) router.Route { return rest },
			edit: func(r *http.Request) { r.Host = "else.test" }, status: 404, reason: "unknown host"},
		{name: "no release", route: func(*testing.T) router.Route { return rest }, status: 404, reason: "no release"},
		{name: "scaled to zero", route: func(*testing.T) router.Route { return route() }, status: 503, reason: "no web container"},
		{name: "refuses", route: func(t *testing.T) router.Route { return route(refusing(t, "web-1"), refusing(t, "web-2")) },
			status: 502, reason: "all web containers in quarantine"},
		{name: "drops", route: func(t *testing.T) router.Route {
			return route(app(t, "web-1", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
		}, status: 502, reason: "connection dropped"},
		{name: "silent", cfg: router.Config{FirstByte: 20 * time.Millisecond},
			route: func(t *testing.T) router.Route { return route(silent(t)) }, status: 504, reason: "first byte time-out"},
		{name: "silent after a body", cfg: router.Config{FirstByte: 20 * time.Millisecond}, method: "POST", body: "x",
			route: func(t *testing.T) router.Route { return route(silent(t)) }, status: 504, reason: "first byte time-out"},
		{name: "large body", cfg: router.Config{MaxBody: 10}, method: "POST", body: "0123456789+",
			route: func(t *testing.T) router.Route { return route(silent(t)) }, status: 413, reason: "request body too large"},
		{name: "large chunked body", cfg: router.Config{MaxBody: 10}, method: "POST", body: "0123456789+",
			edit:  func(r *http.Request) { r.ContentLength = -1 },
			route: func(t *testing.T) router.Route { return route(silent(t)) }, status: 413, reason: "request body too large"},
		{name: "large headers", edit: func(r *http.Request) {
			for _, c := range "abcdef" {
				r.Header.Set("X-"+string(c), strings.Repeat("x", 7<<10))
			}
		}, route: func(t *testing.T) router.Route { return route(silent(t)) }, status: 431, reason: "request headers too large"},
		{name: "large header", edit: func(r *http.Request) { r.Header.Set("X-A", strings.Repeat("x", 9<<10)) },
			route: func(t *testing.T) router.Route { return route(silent(t)) }, status: 431, reason: "request headers too large"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFront(t, on, test.cfg)
			f.Set(test.route(t))
			req := f.request(t.Context(), test.method, "/", strings.NewReader(test.body))
			if test.edit != nil {
				test.edit(req)
			}
			got := f.do(req)
			if got.status != test.status || got.reason() != test.reason {
				t.Errorf("%d %q, want %d %q", got.status, got.reason(), test.status, test.reason)
			}
			if id := got.header.Get("X-Request-Id"); id == "" || !strings.Contains(got.body, id) {
				t.Errorf("no request id in %q", got.body)
			}
		})
	}
}

// TestSlowClient holds a body back; the container must not be blamed nor held.
func TestSlowClient(t *testing.T) { t.Parallel(); onBothPaths(t, testSlowClient) }

func testSlowClient(t *testing.T, on path) {
	f := newFront(t, on, router.Config{Idle: 3 * time.Second})
	f.Set(route(silent(t)))
	conn, r := f.dial()
	write(t, conn, "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 10\r\n\r\n12345")
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Header.Get("X-Scalingo-Error"); res.StatusCode != 408 || got != "request time-out" {
		t.Errorf("%d %q", res.StatusCode, got)
	}
	if err := f.Remove("shop").Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestIdle stops in the middle of an answer: it is cut off, not ended as if it were whole.
func TestIdle(t *testing.T) { t.Parallel(); onBothPaths(t, testIdle) }

func testIdle(t *testing.T, on path) {
	f := newFront(t, on, router.Config{Idle: 3 * time.Second})
	f.Set(route(app(t, "web-1", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})))
	got, err := send(http.DefaultClient, f.request(t.Context(), "GET", "/", nil))
	if err == nil || got.body != "half" {
		t.Errorf("%q, %v", got.body, err)
	}
}

// TestStuckClient never reads: its request ends all the same.
func TestStuckClient(t *testing.T) { t.Parallel(); onBothPaths(t, testStuckClient) }

func testStuckClient(t *testing.T, on path) {
	f := newFront(t, on, router.Config{Idle: 3 * time.Second})
	f.Set(route(app(t, "web-1", func(w http.ResponseWriter, _ *http.Request) {
		for range 1 << 10 {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})))
	conn, r := f.dial()
	write(t, conn, "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
	if _, err := r.ReadByte(); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove("shop").Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestQueue(t *testing.T) { onBothPaths(t, testQueue) }

func testQueue(t *testing.T, on path) {
	f := newFront(t, on, router.Config{Queue: 2})
	arrived, proceed := make(chan bool), make(chan bool)
	f.Set(route(app(t, "web-1", func(w http.ResponseWriter, _ *http.Request) {
		arrived <- true
		<-proceed
	})))
	done := make(chan outcome, 2)
	for range 2 {
		go func() {
			got, err := send(http.DefaultClient, f.request(t.Context(), "GET", "/", nil))
			done <- outcome{got, err}
		}()
		<-arrived
	}
	if got := f.get("/"); got.status != 503 || got.reason() != "request queue full" {
		t.Errorf("third request: %d %q", got.status, got.reason())
	}
	close(proceed)
	for range 2 {
		if got := <-done; got.err != nil || got.status != 200 {
			t.Errorf("queued request: %d, %v", got.status, got.err)
		}
	}
}

// TestQueueOfAnswers: who is being answered waits no more, and makes room for the next.
func TestQueueOfAnswers(t *testing.T) { onBothPaths(t, testQueueOfAnswers) }

func testQueueOfAnswers(t *testing.T, on path) {
	f := newFront(t, on, router.Config{Queue: 1})
	proceed := make(chan bool)
	f.Set(route(app(t, "web-1", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "begin")
		_ = http.NewResponseController(w).Flush()
		<-proceed
	})))
	for range 3 {
		res, err := http.DefaultClient.Do(f.request(t.Context(), "GET", "/", nil))
		if err != nil || res.StatusCode != 200 {
			t.Fatal(res, err)
		}
		defer res.Body.Close()
	}
	close(proceed)
}

type outcome struct {
	answer
	err error
}
