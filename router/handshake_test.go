package router

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// oneConn is a listener of one connection.
type oneConn struct {
	conn   chan net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// TestSlowHandshake: a client that begins a handshake and does not go on with it has ten seconds.
func TestSlowHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Config{})
		s := NewServer(r)
		ours, theirs := net.Pipe()
		l := &oneConn{make(chan net.Conn, 1), make(chan struct{})}
		l.conn <- ours
		ended := make(chan error, 1)
		go func() { ended <- s.ServeTLS(l, &tls.Config{}) }()
		begin := time.Now()
		if _, err := theirs.Write([]byte("\x16\x03\x01")); err != nil {
			t.Error(err)
		}
		if _, err := theirs.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the connection ends with %v", err)
		}
		if took := time.Since(begin); took != handshakeTime {
			t.Errorf("after %s", took)
		}
		synctest.Wait()
		if n := s.arriving.Load(); n != 0 {
			t.Errorf("%d connections arriving", n)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}
