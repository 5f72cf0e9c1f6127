package router

import (
	"net"
	"syscall"
)

// sight is what can be seen of a connection without reading from it.
type sight int

const (
	quiet sight = iota // nothing to read
	bytesWait
	ended // the other side will send no more, or has gone
)

// peek looks at what lies at the front of a connection's incoming bytes. Connections that cannot be looked at are quiet.
func peek(c net.Conn) (seen sight) {
	var b [1]byte
	onSocket(c, func(fd int) {
		n, _, err := syscall.Recvfrom(fd, b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case err == syscall.EAGAIN || err == syscall.EINTR:
		case err != nil || n == 0:
			seen = ended
		default:
			seen = bytesWait
		}
	})
	return seen
}

// onSocket calls look with the connection's file descriptor, unless it has none or is closed.
func onSocket(c net.Conn, look func(fd int)) {
	conn, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { look(int(fd)) }) // an error means that it is closed
	}
}
