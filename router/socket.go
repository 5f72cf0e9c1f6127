package router

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// socket receives from a connection into a buffer, and sends. While it waits for something to receive, an empty buffer stays without memory:
// that is what makes an idle connection cheap.
type socket struct {
	conn    net.Conn
	raw     syscall.RawConn // of a TCP connection, else nil
	carrier *carrier        // of a client's connection with TLS, else nil

	// of the call under way
	into *buffer
	n    int
	err  error
	out  []byte // what ask has to send; nil once it is sent

	receive, speak, say func(fd uintptr) bool // tryReceive, trySpeak and trySay, bound once

	rest   []byte // what write has still to send
	failed error  // of write
}

// errStale tells that an idle connection has ended, or that bytes have come on it that nobody asked for. Nothing was sent.
var errStale = errors.New("the connection was not idle any more")

func newSocket(conn net.Conn) *socket {
	r := &socket{conn: conn, carrier: carrierOf(conn)}
	if tcp, ok := conn.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			r.raw, r.receive, r.speak, r.say = raw, r.tryReceive, r.trySpeak, r.trySay
		}
	}
	return r
}

// fill waits for bytes and adds them to b, which has room. The error is io.EOF at the end.
func (r *socket) fill(b *buffer) error {
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
func (r *socket) tryReceive(fd uintptr) bool {
	empty := r.into.mem == nil
	n, err := receive(fd, r.into.free())
	for err == syscall.EINTR {
		n, err = receive(fd, r.into.free())
	}
	r.n, r.err = n, nil
	if err == 0 && n > 0 {
		r.into.w += n
		return true
	}
	if empty {
		r.into.drop()
	}
	if r.n = 0; err != 0 {
		r.err = err
	}
	return err != syscall.EAGAIN
}

// ask sends out, and fills b with the beginning of what comes back. Sent is how much went out.
//
// The look whether the connection is still alive and idle costs nothing: it is the read that would be tried after the request was sent, tried before.
// Whatever comes after that read wakes the wait.
func (r *socket) ask(out []byte, b *buffer) (sent int, err error) {
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
func (r *socket) trySpeak(fd uintptr) bool {
	if r.out == nil {
		return r.tryReceive(fd)
	}
	var stray [1]byte
	if _, err := receive(fd, stray[:]); err != syscall.EAGAIN {
		r.err = errStale
		return true
	}
	r.err = nil
	n, err := send(fd, r.out)
	switch {
	case err == syscall.EAGAIN || err == syscall.EINTR:
		n = 0
	case err != 0:
		r.err = err
		return true
	}
	if r.out = r.out[n:]; len(r.out) > 0 {
		return true // the rest needs a wait of its own
	}
	r.out = nil
	return false
}

// write sends all of out. It may run beside fill and ask.
func (r *socket) write(out []byte) error {
	if r.raw == nil {
		_, err := r.conn.Write(out)
		return err
	}
	r.rest, r.failed = out, nil
	if err := r.raw.Write(r.say); err != nil {
		return err
	}
	return r.failed
}

// trySay sends as much as the kernel takes.
func (r *socket) trySay(fd uintptr) bool {
	for len(r.rest) > 0 {
		n, err := send(fd, r.rest)
		switch {
		case err == syscall.EAGAIN:
			return false
		case err == syscall.EINTR:
		case err != 0:
			r.failed = err
			return true
		default:
			r.rest = r.rest[n:]
		}
	}
	return true
}

// fillPlain is for connections that are not TCP, TLS above all. The first byte is awaited with no memory but its own; the others of
// its record are at hand then.
func (r *socket) fillPlain(b *buffer) error {
	if b.mem != nil {
		n, err := r.conn.Read(b.free())
		b.w += n
		return unlessRead(n, err)
	}
	var first [1]byte
	n, err := r.conn.Read(first[:])
	if n > 0 {
		b.w = copy(b.free(), first[:n])
		b.w += r.readAtHand(b.free())
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
