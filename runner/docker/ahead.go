package docker

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	aheadRoom  = 64 << 10               // bytes that are read before they are taken
	aheadPause = 250 * time.Millisecond // after which another read is made, whatever was taken
	aheadMost  = 16 << 20               // bytes after which it is not
	aheadLoss  = 2 << 20                // more than a container has on its way to us, in bytes
)

// errBehind tells that the end may be missing.
var errBehind = errors.New("it was read too slowly")

// ahead reads a container's output before the caller takes it. Two seconds after the process has ended the engine throws away what is still in the
// process's pipe, up to 64 KiB (moby, daemon/monitor.go), and says nothing. So a caller who pauses must not keep the engine waiting: what it sends
// meanwhile is kept here. Of one who is aheadMost behind the end may be lost, and is said to be.
type ahead struct {
	from   io.Reader
	closed <-chan struct{} // nothing is read after it

	come, taken chan struct{} // hold a token when what is kept has changed

	mu   sync.Mutex // guards what follows
	kept bytes.Buffer
	err  error // why nothing follows what is kept
}

func newAhead(from io.Reader, closed <-chan struct{}) *ahead {
	return &ahead{from: from, closed: closed, come: make(chan struct{}, 1), taken: make(chan struct{}, 1)}
}

func (a *ahead) Read(p []byte) (n int, err error) {
	for {
		a.mu.Lock()
		if a.kept.Len() > 0 {
			n, _ = a.kept.Read(p)
		} else {
			err = a.err
		}
		a.mu.Unlock()
		if n > 0 || err != nil {
			signal(a.taken)
			return n, err
		}
		<-a.come
	}
}

// fill reads until there is nothing more.
func (a *ahead) fill() {
	p := make([]byte, 32<<10)
	for unsafe := 0; ; { // how many bytes must come for the end not to be lost
		ok, behind := a.wait()
		if behind {
			unsafe = aheadLoss
		}
		var n int
		err := net.ErrClosed
		if ok {
			n, err = a.from.Read(p)
		}
		if unsafe -= n; err == io.EOF && unsafe > 0 {
			err = errBehind
		}
		a.mu.Lock()
		a.kept.Write(p[:n])
		a.err = err
		a.mu.Unlock()
		signal(a.come)
		if err != nil {
			return
		}
	}
}

// wait returns when the next read is due; behind is whether it was due before and there was no room. It is not ok after closed.
func (a *ahead) wait() (ok, behind bool) {
	due := time.After(aheadPause)
	for late := false; ; {
		a.mu.Lock()
		kept := a.kept.Len()
		a.mu.Unlock()
		if kept < aheadRoom || late && kept < aheadMost {
			return true, behind
		}
		behind = late
		select {
		case <-a.taken:
		case <-due:
			late = true
		case <-a.closed:
			return false, behind
		}
	}
}

// signal leaves a token.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
