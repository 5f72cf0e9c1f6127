package router_test

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http/httptest"
	"sync"
	"testing"

	"boathook/router"
)

// newGate is a router in front of a, with TLS if secured is not nil. dial connects to it; shut ends its connections on both sides.
func newGate(t testing.TB, cfg router.Config, a *tape, secured *tls.Config, rules ...func(*router.Route)) (dial func() halfCloser, shut func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := router.New(cfg)
	to := route(a.target())
	for _, rule := range rules {
		if rule != nil {
			rule(&to)
		}
	}
	r.Set(to)
	server, done := router.NewServer(r), make(chan struct{})
	go func() {
		defer close(done)
		if secured != nil {
			_ = server.ServeTLS(listener, secured) // nil after Close
		} else {
			_ = server.Serve(listener)
		}
	}()
	shut = sync.OnceFunc(func() {
		_ = server.Close()
		<-done
		_ = r.Close()
	})
	t.Cleanup(shut)
	return func() halfCloser {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if secured != nil {
			client := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
			if err := client.Handshake(); err != nil {
				t.Fatal(err)
			}
			return client
		}
		return conn.(*net.TCPConn)
	}, shut
}

// halfCloser is a connection one side of which can end.
type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// unknownTLS is a TLS configuration with a certificate that nobody trusts.
func unknownTLS(t testing.TB) *tls.Config {
	server := httptest.NewTLSServer(nil)
	t.Cleanup(server.Close)
	return server.TLS.Clone()
}

// journal is a log that keeps the lines which blame a container: no client must be able to bring one into quarantine.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("container in quarantine")) {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.lines = append(j.lines, string(line))
	}
	return len(line), nil
}

func (j *journal) blame() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lines
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }
