package router

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// hasty is a connection on which something happens just when a request has been read whole.
type hasty struct {
	net.Conn
	then func()
}

func (h *hasty) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	if n > 1 {
		h.then()
	}
	return n, err
}

// TestDismissedWithRequest dismisses a connection whose request has been read and is not under way yet: it is answered, as the last one.
func TestDismissedWithRequest(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "answered") }))
	defer app.Close()
	r := New(Config{})
	defer r.Close()
	r.Set(Route{App: "shop", Release: "1", Hosts: []string{"shop.test"}, Targets: []Target{{Name: "web-1", Addr: app.Listener.Addr().String()}}, Serving: true})
	s := NewServer(r)
	ours, theirs := net.Pipe()
	l := &oneConn{make(chan net.Conn, 1), make(chan struct{})}
	l.conn <- &hasty{theirs, func() {
		if s.patrol.dismiss(true) != 1 {
			t.Error("nothing is left to wait for")
		}
	}}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	_ = ours.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(ours, "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(ours)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "answered" || !res.Close {
		t.Errorf("%q, %v, closing %v", body, err, res.Close)
	}
	if _, err := in.ReadByte(); err != io.EOF {
		t.Errorf("afterwards: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
