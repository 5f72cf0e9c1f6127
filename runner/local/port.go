package local

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports of instances come from below the range that Linux (32768) and others hand out for outgoing
// connections and for port 0, so that nobody gets one by chance before the instance listens on it.
const (
	firstPort = 20000
	lastPort  = 32767
)

// takePort reserves a loopback port that no other instance of this engine has and that nobody
// listens on. givePort frees it.
func (e *Engine) takePort() (int, error) {
	const count = lastPort - firstPort + 1
	for at, tries := rand.IntN(count), 0; tries < count; at, tries = (at+1)%count, tries+1 {
		port := firstPort + at
		if e.reserve(port) {
			if portFree(port) {
				return port, nil
			}
			e.givePort(port)
		}
	}
	return 0, errors.New("no free port on the loopback address")
}

// reserve marks port as taken and tells whether it was not.
func (e *Engine) reserve(port int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ports[port] {
		return false
	}
	e.ports[port] = true
	return true
}

func (e *Engine) givePort(port int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.ports, port)
}

// portFree tells whether port can be listened on, on loopback and, as apps do, on all addresses.
func portFree(port int) bool {
	for _, host := range []string{"127.0.0.1", ""} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return false
		}
		if err := l.Close(); err != nil {
			return false
		}
	}
	return true
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
