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
	conn, ok := c.(syscall.Conn)
	if !ok {
		return quiet
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return quiet
	}
	var b [1]byte
	err = raw.Control(func(fd uintptr) {
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case err == syscall.EAGAIN || err == syscall.EINTR:
		case err != nil || n == 0:
			seen = ended
		default:
			seen = bytesWait
		}
	})
	if err != nil {
		return ended
	}
	return seen
}
