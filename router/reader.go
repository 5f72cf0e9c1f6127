package router

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// reader receives from a connection into a buffer. While it waits, an empty buffer stays without memory: that is what makes an idle
// connection cheap.
type reader struct {
	conn net.Conn
	raw  syscall.RawConn // of a TCP connection, else nil

	// of the call under way
	into *buffer
	n    int
	err  error
	out  []byte // what ask has to send; nil once it is sent

	receive, speak func(fd uintptr) bool // tryReceive and trySpeak, bound once
}

// errStale tells that an idle connection has ended, or that bytes have come on it that nobody asked for. Nothing was sent.
var errStale = errors.New("the connection was not idle any more")

func newReader(conn net.Conn) *reader {
	r := &reader{conn: conn}
	if tcp, ok := conn.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			r.raw, r.receive, r.speak = raw, r.tryReceive, r.trySpeak
		}
	}
	return r
}

// fill waits for bytes and adds them to b, which has room. The error is io.EOF at the end.
func (r *reader) fill(b *buffer) error {
	if r.raw == nil {
		return r.fillPlain(b)
	}
	r.into = b
	if err := r.raw.Read(r.receive); err != nil {
		return err
	}
	if r.err == nil && r.n == 0 {
		return io.EOF
	}
	return r.err
}

// tryReceive reads if there is something to read.
func (r *reader) tryReceive(fd uintptr) bool {
	empty := r.into.mem == nil
	for {
		r.n, r.err = syscall.Read(int(fd), r.into.free())
		if r.err != syscall.EINTR {
			break
		}
	}
	if r.err == nil && r.n > 0 {
		r.into.w += r.n
		return true
	}
	r.n = 0
	if empty {
		r.into.drop()
	}
	return r.err != syscall.EAGAIN
}

// ask sends out, and fills b with the beginning of what comes back. Sent is how much went out.
//
// The look whether the connection is still alive and idle costs nothing: it is the read that would be tried after the request was sent, tried before.
// Whatever comes after that read wakes the wait.
func (r *reader) ask(out []byte, b *buffer) (sent int, err error) {
	if r.raw == nil {
		if sent, err = r.conn.Write(out); err == nil {
			err = r.fill(b)
		}
		return sent, err
	}
	r.into, r.out = b, out
	if err := r.raw.Read(r.speak); err != nil {
		return len(out) - len(r.out), err
	}
	sent = len(out) - len(r.out)
	switch {
	case r.err != nil:
		return sent, r.err
	case len(r.out) > 0:
		n, err := r.conn.Write(r.out)
		if sent += n; err != nil {
			return sent, err
		}
		return sent, r.fill(b)
	case r.n == 0:
		return sent, io.EOF
	}
	return sent, nil
}

// trySpeak is called first to send, and then, once there is something to read, to read it.
func (r *reader) trySpeak(fd uintptr) bool {
	if r.out == nil {
		return r.tryReceive(fd)
	}
	var stray [1]byte
	if _, err := syscall.Read(int(fd), stray[:]); err != syscall.EAGAIN {
		r.err = errStale
		return true
	}
	n, err := syscall.Write(int(fd), r.out)
	if err == syscall.EAGAIN || err == syscall.EINTR {
		n, err = 0, nil
	}
	if r.err = err; err != nil {
		return true
	}
	if r.out = r.out[n:]; len(r.out) > 0 {
		return true // the rest needs a wait of its own
	}
	r.out = nil
	return false
}

// fillPlain is for connections that are not TCP, TLS above all. The first byte is awaited with no memory but its own.
func (r *reader) fillPlain(b *buffer) error {
	if b.mem != nil {
		n, err := r.conn.Read(b.free())
		b.w += n
		return unlessRead(n, err)
	}
	var first [1]byte
	n, err := r.conn.Read(first[:])
	if n > 0 {
		b.w = copy(b.free(), first[:n])
	}
	return unlessRead(n, err)
}

// unlessRead puts an error off to the next read if something was read.
func unlessRead(n int, err error) error {
	if n > 0 {
		return nil
	}
	return err
}
