package router

import (
	"net"

	"golang.org/x/sys/unix"
)

// hungUp tells whether the other side will send no more, even if there is still something to read.
func hungUp(c net.Conn) (yes bool) {
	onSocket(c, func(fd int) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(poll, 0)
		yes = err == nil && n > 0
	})
	return yes
}

// kernelBytes counts what was received on a connection and what the other side has acknowledged.
func kernelBytes(c net.Conn) (n uint64) {
	onSocket(c, func(fd int) {
		if info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n = info.Bytes_acked + info.Bytes_received
		}
	})
	return n
}
