package router_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"boathook/router"
)

// script is a container that answers each connection by hand.
func script(t *testing.T, serve func(conn net.Conn, r *bufio.Reader)) router.Target {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn, bufio.NewReader(conn))
			}()
		}
	}()
	return router.Target{Name: "web-1", Addr: listener.Addr().String()}
}

// echo answers with the body, its trailer X-Check in a field, and its length in a trailer.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Trailer", "X-Sum")
	w.Header().Set("X-Check", r.Trailer.Get("X-Check"))
	_, _ = w.Write(body)
	w.Header().Set("X-Sum", fmt.Sprint(len(body)))
}

// TestBodies carries bodies of all sizes around the router's buffers, in both framings, both ways, on one connection.
func TestBodies(t *testing.T) { onBothPaths(t, testBodies) }

func testBodies(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	f.Set(route(app(t, "web-1", echo)))
	transport := &http.Transport{MaxConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	for _, size := range []int{0, 1, 1000, 15 << 10, 16 << 10, 17 << 10, 100_000, 3 << 20} {
		for _, chunked := range []bool{false, true} {
			body := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
			req := f.request(t.Context(), "POST", "/", bytes.NewReader(body), func(r *http.Request) {
				if chunked {
					r.ContentLength, r.Trailer = -1, http.Header{"X-Check": {"yes"}}
				}
			})
			res, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || !bytes.Equal(got, body) {
				t.Fatalf("%d bytes, chunked %v: %d came back with %d, %v", size, chunked, len(got), res.StatusCode, err)
			}
			if got := res.Header.Get("X-Check"); chunked && size > 0 && got != "yes" {
				t.Errorf("X-Check after %d bytes: %q", size, got)
			}
			if sum := res.Trailer.Get("X-Sum"); sum != fmt.Sprint(size) {
				t.Errorf("X-Sum after %d bytes, chunked %v: %q", size, chunked, sum)
			}
		}
	}
}

// TestPipeline sends three requests at once; the answers come in their order.
func TestPipeline(t *testing.T) { onBothPaths(t, testPipeline) }

func testPipeline(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	f.Set(route(app(t, "web-1", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, r.URL.Path+string(body))
	})))
	conn, r := f.dial()
	write(t, conn, "GET /1 HTTP/1.1\r\nHost: shop.test\r\n\r\n"+
		"POST /2 HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 4\r\n\r\nfour"+
		"POST /3 HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nsix\r\n0\r\n\r\n"+
		"GET /4 HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\nGET /5")
	for _, want := range []string{"/1", "/2four", "/3six", "/4"} {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); err != nil || string(body) != want {
			t.Errorf("%q, %v, want %q", body, err, want)
		}
	}
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Errorf("after the end: %q", rest)
	}
}

// TestExpect holds the body back until the container says that it wants it, which the client is told once.
func TestExpect(t *testing.T) { onBothPaths(t, testExpect) }

func testExpect(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	f.Set(route(app(t, "web-1", echo)))
	conn, r := f.dial()
	for range 200 { // the container's own 100 and that of net/http's server come in any order
		_ = conn.SetDeadline(time.Now().Add(patience))
		write(t, conn, "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
		if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != 100 {
			t.Fatal(res, err)
		}
		write(t, conn, "body")
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); err != nil || string(body) != "body" || res.StatusCode != 200 {
			t.Fatalf("%d %q, %v", res.StatusCode, body, err)
		}
	}
}

// TestEarlyAnswer reads an answer that the container gives without reading the body.
func TestEarlyAnswer(t *testing.T) {
	f := newFront(t, fast, router.Config{})
	f.Set(route(script(t, func(conn net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
		}
	})))
	conn, r := f.dial()
	write(t, conn, "POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1000000\r\n\r\nbegin")
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "no" || res.StatusCode != 403 || !res.Close {
		t.Errorf("%d %q, close %v, %v", res.StatusCode, body, res.Close, err)
	}
	if err := f.Remove("shop").Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestInterim passes an interim answer on, but not to a client that does not know of such.
func TestInterim(t *testing.T) { onBothPaths(t, testInterim) }

func testInterim(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	f.Set(route(app(t, "web-1", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = io.WriteString(w, "done")
	})))
	conn, r := f.dial()
	write(t, conn, "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
	if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != 103 || res.Header.Get("Link") == "" {
		t.Fatal(res, err)
	}
	if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	if on == netHTTP {
		return // it passes interim answers to everybody
	}
	conn, r = f.dial()
	write(t, conn, "GET / HTTP/1.0\r\nHost: shop.test\r\n\r\n")
	if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
}

// TestOldClient gets bodies without chunks, and the end of the connection after them unless it asked to keep it.
func TestOldClient(t *testing.T) { onBothPaths(t, testOldClient) }

func testOldClient(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	f.Set(route(app(t, "web-1", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "one ")
		if r.URL.Path == "/stream" {
			_ = http.NewResponseController(w).Flush()
		}
		_, _ = io.WriteString(w, "two")
	})))
	conn, r := f.dial()
	for range 2 {
		write(t, conn, "GET / HTTP/1.0\r\nHost: shop.test\r\nConnection: keep-alive\r\n\r\n")
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(res.Body); err != nil || string(body) != "one two" {
			t.Errorf("%q, %v", body, err)
		}
	}
	write(t, conn, "GET /stream HTTP/1.0\r\nHost: shop.test\r\n\r\n")
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.TransferEncoding != nil {
		t.Fatal(res, err)
	}
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "one two" {
		t.Errorf("%q, %v", body, err)
	}
}

// TestBodiless takes each answer that has no body for what it is, so that the next one on the connection is not lost.
func TestBodiless(t *testing.T) { onBothPaths(t, testBodiless) }

func testBodiless(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	f.Set(route(app(t, "web-1", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(204)
		case "/304":
			w.Header().Set("Etag", `"x"`)
			w.WriteHeader(304)
		default:
			w.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(w, "hello")
		}
	})))
	conn, r := f.dial()
	for _, ask := range []struct {
		method, path string
		status       int
		length       int64
	}{{"HEAD", "/", 200, 5}, {"GET", "/204", 204, 0}, {"GET", "/304", 304, 0}, {"GET", "/", 200, 5}} {
		write(t, conn, "%s %s HTTP/1.1\r\nHost: shop.test\r\n\r\n", ask.method, ask.path)
		res, err := http.ReadResponse(r, &http.Request{Method: ask.method})
		if err != nil || res.StatusCode != ask.status || max(res.ContentLength, 0) != ask.length {
			t.Fatal(ask, res, err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Error(err)
		}
	}
}

// TestUntilClose marks where an answer ends that the container ends by closing.
func TestUntilClose(t *testing.T) { onBothPaths(t, testUntilClose) }

func testUntilClose(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	f.Set(route(script(t, func(conn net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.0 200 OK\r\n\r\n"+strings.Repeat("x", 50_000))
		}
	})))
	for range 2 {
		if got := f.get("/"); len(got.body) != 50_000 {
			t.Errorf("%d bytes", len(got.body))
		}
	}
}

// TestCutShort does not let a part of an answer pass for the whole.
func TestCutShort(t *testing.T) { onBothPaths(t, testCutShort) }

func testCutShort(t *testing.T, on path) {
	for _, head := range []string{"Content-Length: 100000\r\n", "Transfer-Encoding: chunked\r\n"} {
		f := newFront(t, on, router.Config{})
		f.Set(route(script(t, func(conn net.Conn, r *bufio.Reader) {
			if _, err := http.ReadRequest(r); err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+head+"\r\n5\r\nabcde\r\n")
			}
		})))
		for _, version := range []string{"1.1", "1.0"} {
			conn, r := f.dial()
			write(t, conn, "GET / HTTP/%s\r\nHost: shop.test\r\n\r\n", version)
			res, err := http.ReadResponse(r, nil)
			if err == nil {
				_, err = io.ReadAll(res.Body)
			}
			if err == nil && (on == fast || version == "1.1") {
				t.Errorf("%s to HTTP/%s ended as if it were whole", head, version)
			}
		}
	}
}

// TestNonsense answers 502 for what is not HTTP, and asks nothing more on that connection.
func TestNonsense(t *testing.T) {
	var answer atomic.Value
	f := newFront(t, fast, router.Config{Probe: time.Millisecond})
	f.Set(route(script(t, func(conn net.Conn, r *bufio.Reader) {
		for {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			_, _ = io.WriteString(conn, answer.Load().(string))
		}
	})))
	const good = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
	for _, bad := range []string{"SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
		"HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nA B: c\r\n\r\n"} {
		answer.Store(bad)
		eventually(t, "the container is back", func() bool { return f.get("/").reason() == "connection dropped" })
		answer.Store(good)
		eventually(t, "the container is back", func() bool { return f.get("/").body == "good" })
	}
	answer.Store(good + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
	for range 5 {
		if got := f.get("/"); got.body != "good" {
			t.Errorf("%d %q", got.status, got.body)
		}
	}
}

// TestStrayBytes come on an idle connection to the container: the next answer on it would be one that nobody asked for.
func TestStrayBytes(t *testing.T) {
	f := newFront(t, fast, router.Config{})
	var conns atomic.Int64
	stray := make(chan bool)
	f.Set(route(script(t, func(conn net.Conn, r *bufio.Reader) {
		n := conns.Add(1)
		for {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")
			if n == 1 {
				<-stray
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
				stray <- true
			}
		}
	})))
	f.get("/")
	stray <- true
	<-stray
	for _, method := range []string{"POST", "GET"} {
		if got := f.do(f.request(t.Context(), method, "/", nil)); got.body != "good" {
			t.Errorf("%d %q", got.status, got.body)
		}
	}
}

// TestIdleTunnel ends an upgraded connection on which nothing moves.
func TestIdleTunnel(t *testing.T) { t.Parallel(); onBothPaths(t, testIdleTunnel) }

func testIdleTunnel(t *testing.T, on path) {
	f := newFront(t, on, router.Config{Idle: 3 * time.Second})
	f.Set(route(script(t, func(conn net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			_, _ = io.Copy(io.Discard, r)
		}
	})))
	conn, r := f.dial()
	write(t, conn, "GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != 101 {
		t.Fatal(res, err)
	}
	if err := f.Remove("shop").Wait(t.Context()); err != nil {
		t.Error(err)
	}
}
