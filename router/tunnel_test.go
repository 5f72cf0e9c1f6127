package router_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"boathook/router"
)

// onEachWay runs a test once for each way in which a connection that is to be upgraded may come to the router: by TCP, and by TLS with HTTP/1.1 as the
// protocol that ALPN has chosen, and with none. dial opens one, which ends with the test.
func onEachWay(t *testing.T, on path, test func(t *testing.T, r *router.Router, dial func() (halfCloser, *bufio.Reader))) {
	for _, way := range []struct {
		name   string
		client *tls.Config // nil: without TLS
	}{
		{"TCP", nil},
		{"TLS", &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}},
		{"TLS without ALPN", &tls.Config{InsecureSkipVerify: true}},
	} {
		t.Run(way.name, func(t *testing.T) {
			if way.client == nil {
				f := newFront(t, on, router.Config{})
				test(t, f.Router, func() (halfCloser, *bufio.Reader) {
					conn, r := f.dial()
					return conn.(*net.TCPConn), r
				})
				return
			}
			f := newSecureFront(t, on, router.Config{})
			test(t, f.Router, func() (halfCloser, *bufio.Reader) { return dialSecure(t, f, way.client) })
		})
	}
}

// dialSecure opens a connection with TLS, which ends with the test.
func dialSecure(t *testing.T, f *front, cfg *tls.Config) (halfCloser, *bufio.Reader) {
	t.Helper()
	plain, _ := f.dial()
	conn := tls.Client(plain, cfg)
	if err := conn.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := strings.Join(cfg.NextProtos, "")
	if got := conn.ConnectionState().NegotiatedProtocol; got != want {
		t.Fatalf("ALPN chose %q, want %q", got, want)
	}
	return conn, bufio.NewReader(conn)
}

// upgrade asks for another protocol, with what follows at once, and fails unless it gets it.
func upgrade(t *testing.T, conn net.Conn, r *bufio.Reader, protocol, follows string) {
	t.Helper()
	write(t, conn, "GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n%s", protocol, follows)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != 101 || !strings.EqualFold(res.Header.Get("Upgrade"), protocol) {
		t.Fatal(res, err)
	}
}

// TestWebSocket greets, and echoes through, an upgraded connection, which a Drain waits for and can sever.
func TestWebSocket(t *testing.T) {
	onBothPaths(t, func(t *testing.T, on path) { onEachWay(t, on, testWebSocket) })
}

func testWebSocket(t *testing.T, router *router.Router, dial func() (halfCloser, *bufio.Reader)) {
	router.Set(route(app(t, "web-1", func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\nwelcome\n", r.Header.Get("Upgrade"))
		_, _ = rw.WriteTo(conn)
	})))
	conn, r := dial()
	upgrade(t, conn, r, "websocket", "")
	if got, err := r.ReadString('\n'); err != nil || got != "welcome\n" {
		t.Fatalf("with the answer: %q, %v", got, err)
	}
	large := strings.Repeat("large", 50_000) + "\n" // more than a TLS record, or a buffer of the router
	for _, message := range []string{"one\n", "two\n", large, "three\n"} {
		write(t, conn, "%s", message)
		if got, err := r.ReadString('\n'); err != nil || got != message {
			t.Fatalf("%d bytes %.20q after %.20q, %v", len(got), got, message, err)
		}
	}
	drain := router.Remove("shop")
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

// TestHalfClose ends one direction of an upgraded connection; the other goes on.
func TestHalfClose(t *testing.T) {
	t.Run("client", func(t *testing.T) { onEachWay(t, fast, testHalfCloseOfClient) })
	t.Run("container", func(t *testing.T) { onEachWay(t, fast, testHalfCloseOfContainer) })
}

const toEcho = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"

func testHalfCloseOfClient(t *testing.T, router *router.Router, dial func() (halfCloser, *bufio.Reader)) {
	router.Set(route(script(t, func(conn net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		_, _ = io.WriteString(conn, toEcho)
		got, _ := io.ReadAll(r)
		_, _ = conn.Write(got)
	})))
	conn, r := dial()
	upgrade(t, conn, r, "echo", "at once, ")
	write(t, conn, "and later")
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "at once, and later" {
		t.Errorf("%q, %v", got, err)
	}
	if err := router.Remove("shop").Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

func testHalfCloseOfContainer(t *testing.T, router *router.Router, dial func() (halfCloser, *bufio.Reader)) {
	received := make(chan string, 1)
	router.Set(route(script(t, func(conn net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		_, _ = io.WriteString(conn, toEcho+"all there is")
		_ = conn.(*net.TCPConn).CloseWrite()
		got, _ := io.ReadAll(r)
		received <- string(got)
	})))
	conn, r := dial()
	upgrade(t, conn, r, "echo", "at once, ")
	if got, err := io.ReadAll(r); err != nil || string(got) != "all there is" {
		t.Errorf("%q, %v", got, err)
	}
	write(t, conn, "and later")
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-received:
		if got != "at once, and later" {
			t.Errorf("the container received %q", got)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the container does not see the client's end")
	}
	if err := router.Remove("shop").Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRecords: what a client sends by TLS in one piece goes on in one piece, not byte by byte.
func TestRecords(t *testing.T) {
	f := newSecureFront(t, fast, router.Config{})
	pieces := make(chan int, 10_000)
	f.Set(route(script(t, func(conn net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		_, _ = io.WriteString(conn, toEcho)
		for piece := make([]byte, 64<<10); ; {
			n, err := r.Read(piece)
			if err != nil {
				return
			}
			pieces <- n
			_, _ = conn.Write(piece[:n])
		}
	})))
	conn, r := dialSecure(t, f, &tls.Config{InsecureSkipVerify: true})
	upgrade(t, conn, r, "echo", "")
	const size, rounds = 8 << 10, 8
	for range rounds {
		write(t, conn, "%s", strings.Repeat("x", size))
		if _, err := io.ReadFull(r, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(pieces); got > 8*rounds {
		t.Errorf("%d messages arrived in %d pieces", rounds, got)
	}
}

// TestRecordsOfBody: neither does a body in chunks that comes by TLS go on in chunks of a byte.
func TestRecordsOfBody(t *testing.T) {
	f := newSecureFront(t, fast, router.Config{})
	framed := make(chan int, 1)
	f.Set(route(script(t, func(conn net.Conn, r *bufio.Reader) {
		body := 0
		for inBody := false; ; {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if inBody {
				body += len(line)
			}
			if inBody && line == "0\r\n" {
				break
			}
			inBody = inBody || line == "\r\n"
		}
		framed <- body
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})))
	conn, r := dialSecure(t, f, &tls.Config{InsecureSkipVerify: true})
	write(t, conn, "POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n")
	const size, rounds = 8 << 10, 8
	for range rounds {
		write(t, conn, "%x\r\n%s\r\n", size, strings.Repeat("x", size))
	}
	write(t, conn, "0\r\n\r\n")
	if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	if got := <-framed; got > size*rounds+1024 {
		t.Errorf("%d bytes became %d", size*rounds, got)
	}
}
