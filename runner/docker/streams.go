package docker

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/pkg/stdcopy"

	"boathook/runner"
)

// drainTime is how long Run waits for more output of a process that has ended, each time: the engine ends the stream itself.
const drainTime = 10 * time.Second

// endOfInput is what a terminal makes the end of its input of (VEOF, termios(3)).
const endOfInput = "\x04"

// streams carries the input and the output of an attached container in goroutines. That of the output ends with it, with close, or after
// drain; that of the input with it, or with the next byte after close.
type streams struct {
	conn    types.HijackedResponse
	ended   atomic.Bool // the process has ended: no read may block for long
	done    chan struct{}
	lost    error // why the end of the output may be missing; set before done
	closing sync.Once
	closed  chan struct{}
	helpers sync.WaitGroup // those that end with closed
}

func (e *Engine) carry(conn types.HijackedResponse, with runner.IO) *streams {
	s := &streams{conn: conn, done: make(chan struct{}), closed: make(chan struct{})}
	from := newAhead(s, s.closed)
	s.helpers.Go(from.fill)
	go func() {
		defer close(s.done)
		out := &lenient{w: with.Out}
		stderr := out
		if with.Err != nil {
			stderr = &lenient{w: with.Err}
		}
		if with.Terminal != nil {
			_, s.lost = io.Copy(out, from)
		} else {
			_, s.lost = stdcopy.StdCopy(out, stderr, from)
		}
		if s.lost != nil {
			e.log.Debug("output ended early", "err", s.lost)
		}
		if err := errors.Join(out.err, stderr.err); err != nil {
			e.log.Warn("output of a one-off not taken", "err", err)
		}
	}()
	if with.In != nil {
		go s.feed(with) // may wait for the caller's reader, which nothing here can end
	}
	return s
}

// feed carries the input. The process may end without having read it.
func (s *streams) feed(with runner.IO) {
	if _, err := io.Copy(s.conn.Conn, with.In); err != nil {
		return
	}
	if with.Terminal != nil {
		_, _ = io.WriteString(s.conn.Conn, endOfInput)
		return
	}
	_ = s.conn.CloseWrite()
}

func (s *streams) Read(p []byte) (int, error) {
	if s.ended.Load() {
		if err := s.conn.Conn.SetReadDeadline(time.Now().Add(drainTime)); err != nil {
			return 0, err
		}
	}
	return s.conn.Reader.Read(p)
}

// drain waits until everything is copied that was written before the end. The error is why that may not be all.
func (s *streams) drain() error {
	s.ended.Store(true)
	if err := s.conn.Conn.SetReadDeadline(time.Now().Add(drainTime)); err != nil {
		s.close()
	}
	<-s.done
	return s.lost
}

// close ends the copying and waits for it.
func (s *streams) close() {
	s.ended.Store(true)
	s.closing.Do(func() {
		s.conn.Close()
		close(s.closed)
	})
	<-s.done
	s.helpers.Wait()
}

// lenient remembers the first error of w and takes everything after it.
type lenient struct {
	w   io.Writer
	err error
}

func (l *lenient) Write(p []byte) (int, error) {
	if l.err == nil {
		_, l.err = l.w.Write(p)
	}
	return len(p), nil
}
