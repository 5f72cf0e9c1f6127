package router

import (
	"io"
	"sync/atomic"
	"time"
)

// watch ends a request in which nothing moves. While the client sends its body, and again while the container sends the
// answer, each byte restarts the clock with idle; in between it is set to firstByte.
type watch struct {
	firstByte, idle time.Duration
	expired         func(*refusal)

	timer    *time.Timer
	reading  atomic.Bool // a read of the client's body is under way
	complete atomic.Bool // the client's body was read to its end
	answered atomic.Bool // the answer has begun
}

// start begins; call stop in the end.
func (w *watch) start(body bool) {
	w.complete.Store(!body)
	w.timer = time.AfterFunc(w.pause(), func() { w.expired(w.blame()) })
}

func (w *watch) stop() { w.timer.Stop() }

// touch restarts the clock: something has moved. Before start there is none.
func (w *watch) touch() {
	if w.timer != nil {
		w.timer.Reset(w.pause())
	}
}

func (w *watch) pause() time.Duration {
	if w.complete.Load() && !w.answered.Load() {
		return w.firstByte
	}
	return w.idle
}

// blame says who stood still.
func (w *watch) blame() *refusal {
	switch {
	case w.answered.Load():
		return errIdle
	case w.reading.Load():
		return errSlowClient
	default:
		return errFirstByte
	}
}

// upload is the body of a client's request, bounded and watched.
type upload struct {
	io.ReadCloser
	watch *watch
	left  int64 // bytes that may come
	begun atomic.Bool
	err   atomic.Pointer[refusal]
}

func (u *upload) Read(p []byte) (int, error) {
	u.begun.Store(true)
	u.watch.reading.Store(true)
	n, err := u.ReadCloser.Read(p)
	u.watch.reading.Store(false)
	if u.left -= int64(n); u.left < 0 {
		u.err.Store(errBodySize)
		return 0, errBodySize
	}
	if err == io.EOF {
		u.watch.complete.Store(true)
	} else if err != nil {
		u.err.Store(errBadBody)
	}
	u.watch.touch()
	return n, err
}

// readWhole fills body, and sees that nothing follows. Over HTTP/2 there may come more or less than was told: nothing of such a request is passed on
// (RFC 9113, 8.1.1), which shows at the end of its stream.
func (u *upload) readWhole(body []byte) error {
	if _, err := io.ReadFull(u, body); err != nil {
		return err
	}
	if _, err := io.ReadFull(u, make([]byte, 1)); err != io.EOF {
		return errBadBody
	}
	return nil
}

// download is the body of a container's answer or, after an upgrade, the connection to it.
type download struct {
	io.ReadCloser
	watch *watch
}

func (d download) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	d.watch.touch()
	return n, err
}

// duplex is a download after an upgrade.
type duplex struct {
	download
	writer io.Writer
}

func (d duplex) Write(p []byte) (int, error) {
	n, err := d.writer.Write(p)
	d.watch.touch()
	return n, err
}

// CloseWrite passes on that the client will send no more.
func (d duplex) CloseWrite() error {
	if half, ok := d.writer.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return d.Close()
}

func (w *watch) download(body io.ReadCloser) io.ReadCloser {
	if writer, ok := body.(io.Writer); ok {
		return duplex{download{body, w}, writer}
	}
	return download{body, w}
}
