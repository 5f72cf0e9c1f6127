//go:build !linux

package router

import (
	"errors"
	"syscall"
)

// receive and send are system calls on a socket that does not block. Neither is called without bytes.

func receive(fd uintptr, b []byte) (int, syscall.Errno) { return errno(syscall.Read(int(fd), b)) }

func send(fd uintptr, b []byte) (int, syscall.Errno) { return errno(syscall.Write(int(fd), b)) }

func errno(n int, err error) (int, syscall.Errno) {
	var code syscall.Errno
	if errors.As(err, &code) {
		return 0, code
	}
	return n, 0
}
