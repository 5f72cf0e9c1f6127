package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"boathook/runner"
)

const (
	// pipeSize bounds what a pipe can hold, in bytes: what a process without privileges may ask for, pipe(7).
	pipeSize = 1 << 20
	// endOfInput is what a terminal makes the end of its input of (VEOF, termios(3)).
	endOfInput = "\x04"
)

// stdio is the standard streams of a process.
type stdio struct {
	in       *os.File // nil: nothing to read
	out, err *os.File
	terminal bool // all three are one terminal, which becomes the process's own
}

// streams is our side of what a process of Run reads and writes: pipes, or a pseudo-terminal.
type streams struct {
	runner.IO
	child stdio    // the process's side, until it has started
	in    *os.File // nil without input
	out   []outlet

	copying, resizing sync.WaitGroup
	closed            chan struct{}
}

// outlet is one stream of output.
type outlet struct {
	from *os.File
	to   io.Writer
}

func openStreams(with runner.IO) (*streams, error) {
	s := &streams{IO: with, closed: make(chan struct{})}
	open := s.openPipes
	if with.Terminal != nil {
		open = s.openTerminal
	}
	if err := open(); err != nil {
		return nil, errors.Join(err, s.started(), s.closeFiles())
	}
	return s, nil
}

func (s *streams) openTerminal() error {
	ours, theirs, err := pty.Open()
	if err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	s.in, s.out = ours, []outlet{{ours, s.Out}}
	s.child = stdio{in: theirs, out: theirs, err: theirs, terminal: true}
	return s.resize(s.Terminal.Size)
}

func (s *streams) openPipes() (err error) {
	if s.In != nil {
		if s.child.in, s.in, err = os.Pipe(); err != nil {
			return err
		}
	}
	if s.child.out, err = s.outlet(s.Out); err != nil {
		return err
	}
	s.child.err = s.child.out
	if s.Err != nil {
		s.child.err, err = s.outlet(s.Err)
	}
	return err
}

func (s *streams) outlet(to io.Writer) (theirs *os.File, err error) {
	ours, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.out = append(s.out, outlet{ours, to})
	return theirs, nil
}

// started closes the process's side, which it has for itself by now.
func (s *streams) started() error {
	var errs []error
	closed := map[*os.File]bool{nil: true}
	for _, f := range []*os.File{s.child.in, s.child.out, s.child.err} {
		if !closed[f] {
			errs = append(errs, f.Close())
			closed[f] = true
		}
	}
	return errors.Join(errs...)
}

// carry copies until interrupt and close. An output that nobody takes is broken's.
func (s *streams) carry(broken context.CancelCauseFunc) {
	for _, o := range s.out {
		s.copying.Go(func() {
			if _, err := io.Copy(o.to, o.from); err != nil && !isEnd(err) {
				broken(fmt.Errorf("output: %w", err))
			}
		})
	}
	if s.In != nil {
		go s.feed() // may wait for the caller's reader, which nothing here can end
	}
	if s.Terminal != nil {
		s.resizing.Go(s.followSize)
	}
}

// feed carries the input. The process may end without having read it.
func (s *streams) feed() {
	if _, err := io.Copy(s.in, s.In); err != nil {
		return
	}
	if s.Terminal != nil {
		_, _ = io.WriteString(s.in, endOfInput)
		return
	}
	_ = s.in.Close()
}

func (s *streams) followSize() {
	for {
		select {
		case size, more := <-s.Terminal.Resized:
			if !more || s.resize(size) != nil {
				return
			}
		case <-s.closed:
			return
		}
	}
}

func (s *streams) resize(size runner.Size) error {
	return pty.Setsize(s.in, &pty.Winsize{Cols: size.Columns, Rows: size.Rows})
}

// interrupt ends the copying of the output when the process has ended: what escaped it may hold a pipe open, and go on writing.
func (s *streams) interrupt() (err error) {
	for _, o := range s.out {
		err = errors.Join(err, o.from.SetReadDeadline(time.Now()))
	}
	s.copying.Wait()
	return err
}

// drain copies what lies in the pipes or the terminal, at most as much as each can hold. Nothing is waited for: what the process has written is there.
func (s *streams) drain() (err error) {
	for _, o := range s.out {
		err = errors.Join(err, o.drain())
	}
	return err
}

func (o outlet) drain() error {
	buf := make([]byte, 32<<10)
	for left := pipeSize; left > 0; {
		n, err := readNow(o.from, buf)
		if err != nil && !isEnd(err) {
			return fmt.Errorf("output: %w", err)
		}
		if n <= 0 {
			return nil
		}
		left -= n
		if _, err := o.to.Write(buf[:n]); err != nil {
			return fmt.Errorf("output: %w", err)
		}
	}
	return nil
}

// readNow reads what is there. It returns EAGAIN if that is nothing, and 0 bytes without an error at the end.
func readNow(f *os.File, p []byte) (n int, err error) {
	if err := f.SetReadDeadline(time.Time{}); err != nil {
		return 0, err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	failed := raw.Read(func(fd uintptr) (done bool) {
		for n, err = unix.Read(int(fd), p); err == unix.EINTR; {
			n, err = unix.Read(int(fd), p)
		}
		return true
	})
	return n, errors.Join(failed, err)
}

// isEnd tells whether an error says that there is no more to read now: of a terminal that nobody has open any more Linux says EIO, pty(7).
func isEnd(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EIO)
}

// close closes our side and waits for what carry has begun. To give a terminal another size is nothing that a file which is being closed expects.
func (s *streams) close() {
	close(s.closed)
	s.resizing.Wait()
	_ = s.closeFiles() // one may be closed already
	s.copying.Wait()
}

func (s *streams) closeFiles() (err error) {
	if s.in != nil {
		err = s.in.Close()
	}
	for _, o := range s.out {
		if o.from != s.in {
			err = errors.Join(err, o.from.Close())
		}
	}
	return err
}
