package router_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"boathook/router"
)

// drowsy is a connection to a container whose end nobody learns of by reading, as when it comes just before a request does.
type drowsy struct {
	*net.TCPConn
	closed chan struct{}
	once   sync.Once
}

func (d *drowsy) Read(p []byte) (int, error) {
	n, err := d.TCPConn.Read(p)
	if err == io.EOF {
		<-d.closed
	}
	return n, err
}

func (d *drowsy) Close() error {
	d.once.Do(func() { close(d.closed) })
	return d.TCPConn.Close()
}

// TestStaleConnection sends bodies on connections that a container has closed after an answer: another connection takes the place of such a one, whatever
// the request, and the container is not blamed.
func TestStaleConnection(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) { testStaleConnection(t, p) })
	}
}

func testStaleConnection(t *testing.T, p protocol) {
	log := &journal{}
	var last atomic.Pointer[net.TCPConn]
	r, addr := p.stage(t, router.Config{Log: log.logger(), Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		last.Store(conn.(*net.TCPConn))
		if p.name == "HTTP1" { // it does not read from an idle connection
			return conn, nil
		}
		return &drowsy{TCPConn: conn.(*net.TCPConn), closed: make(chan struct{})}, nil
	}})
	r.Set(route(script(t, func(conn net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if req.Header.Get("Expect") != "" {
			_, _ = io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
		}
		n, _ := io.Copy(io.Discard, req.Body)
		got := fmt.Sprint(n)
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(got), got)
	})))
	client, scheme := p.client(t)
	for _, row := range []struct {
		name string
		size int
		edit func(*http.Request)
	}{
		{"no body", 0, nil},
		{"a small body", 5, nil},
		{"a large body", 100_000, nil},
		{"a body of unknown length", 100_000, func(r *http.Request) { r.ContentLength = -1 }},
		{"an expected body", 5, func(r *http.Request) { r.Header.Set("Expect", "100-continue") }},
	} {
		for _, method := range []string{"POST", "PUT"} {
			req, err := http.NewRequestWithContext(t.Context(), method, scheme+addr, bytes.NewReader(make([]byte, row.size)))
			if err != nil {
				t.Fatal(err)
			}
			req.Host = "shop.test"
			if row.edit != nil {
				row.edit(req)
			}
			got, err := send(client, req)
			if err != nil || got.body != fmt.Sprint(row.size) {
				t.Errorf("%s of %s: %d %q, %v", method, row.name, got.status, got.reason(), err)
				continue
			}
			eventually(t, "the idle connection ends", func() bool { return router.HasEnded(last.Load()) })
		}
	}
	if blame := log.blame(); blame != nil {
		t.Errorf("blamed: %s", strings.Join(blame, ""))
	}
}
