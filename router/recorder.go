package router

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"net"
	"net/http"
	"sync"
	"time"
)

// recorder notes what a client was sent, for the access log, and can break the connection to the client off.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64 // of the body; not counted after an upgrade

	packs   bool // the answer of a container is to be packed
	packers packers
	packer  *gzip.Writer // to packed; nil unless the answer is packed
	packed  bytes.Buffer

	mu       sync.Mutex
	conn     net.Conn // after an upgrade
	finished bool     // the connection may carry the next request already
}

// WriteHeader does not pass a container's 100 on: net/http sends one itself when the body is first read, which is what that 100 leads to, so the client
// would sometimes have two.
func (w *recorder) WriteHeader(status int) {
	if status == http.StatusContinue {
		return
	}
	if status >= 200 {
		w.status = status
	}
	if status >= 200 && w.packs {
		w.startPacking()
	}
	w.ResponseWriter.WriteHeader(status)
}

// startPacking changes the header section to that of a packed answer.
func (w *recorder) startPacking() {
	if w.packer = w.packers.take(&w.packed); w.packer == nil {
		return
	}
	h := w.Header()
	h.Del("Content-Length")
	h.Del("Accept-Ranges")
	h.Set("Content-Encoding", "gzip")
	h.Add("Vary", "Accept-Encoding")
	if tag := h.Get("Etag"); tag != "" {
		h.Set("Etag", weak(tag))
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.packer == nil {
		return w.send(p)
	}
	_, _ = w.packer.Write(p) // to memory
	_ = w.packer.Flush()
	_, err := w.send(w.packed.Bytes())
	w.packed.Reset()
	return len(p), err
}

// endPacking sends the end of a packed answer, unless it was broken off.
func (w *recorder) endPacking(whole bool) {
	if w.packer == nil {
		return
	}
	if whole {
		_ = w.packer.Close()
		_, _ = w.send(w.packed.Bytes()) // an error means that the client has gone
	}
	w.packers.give(w.packer)
	w.packer = nil
}

func (w *recorder) send(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Hijack is how ReverseProxy takes the connection over after a 101.
func (w *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.status = http.StatusSwitchingProtocols
		w.mu.Lock()
		w.conn = conn
		w.mu.Unlock()
	}
	return conn, rw, err
}

// Unwrap lets http.ResponseController find the other methods.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// finish is called when the request is over: breakOff has no effect from then on.
func (w *recorder) finish() {
	w.mu.Lock()
	w.finished = true
	w.mu.Unlock()
}

// breakOff makes a blocked write to the client return; with upload, a blocked read too. Deadlines can not be set on every
// kind of writer, and then there is nothing to break.
func (w *recorder) breakOff(answering, upload bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.finished {
		return
	}
	if w.conn != nil {
		_ = w.conn.Close() // the copying ends either way
		return
	}
	control, past := http.NewResponseController(w.ResponseWriter), time.Unix(1, 0)
	if answering {
		_ = control.SetWriteDeadline(past)
	}
	if upload {
		_ = control.SetReadDeadline(past)
	}
}
