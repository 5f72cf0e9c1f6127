package router

import (
	"errors"
	"net"
	"net/http/httptrace"
	"sync/atomic"
)

// wary is a connection of http.Transport's to a container that is not written to, after an answer has come on it, if the container has closed it meanwhile.
// Transport learns of that on another goroutine, which may be too late; so it knows that nothing was sent, and uses another connection.
type wary struct {
	net.Conn
	rested atomic.Bool  // something was read since the last write
	sent   atomic.Int64 // bytes
}

func (w *wary) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.rested.Store(true)
	}
	return n, err
}

func (w *wary) Write(p []byte) (int, error) {
	if w.rested.Swap(false) && peek(w.Conn) == ended {
		return 0, errStale
	}
	n, err := w.Conn.Write(p)
	w.sent.Add(int64(n))
	return n, err
}

// CloseWrite passes on that a client will send no more, after an upgrade.
func (w *wary) CloseWrite() error {
	if half, ok := w.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// lent is the connection on which Transport sends a request, if that has carried another one before.
type lent struct {
	conn   *wary
	before int64 // bytes that had been sent on it
}

// note is httptrace.ClientTrace.GotConn.
func (l *lent) note(got httptrace.GotConnInfo) {
	*l = lent{}
	if w, ok := got.Conn.(*wary); ok && got.Reused {
		*l = lent{w, w.sent.Load()}
	}
}

// unused tells whether nothing was sent on it after all: that it has failed says nothing of the container, which was free to close it.
func (l *lent) unused() bool { return l.conn != nil && l.conn.sent.Load() == l.before }
