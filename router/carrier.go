package router

import (
	"crypto/tls"
	"net"
)

// carrier is a client's connection below TLS. While it is dry nothing is received from it: so one can read what TLS has at hand, and does not wait for more.
type carrier struct {
	net.Conn
	dry bool // belongs to the goroutine that reads
}

// errDry is temporary, or TLS would take it for the connection's end.
var errDry net.Error = dryError{}

type dryError struct{}

func (dryError) Error() string   { return "no more is at hand" }
func (dryError) Timeout() bool   { return true }
func (dryError) Temporary() bool { return true }

func (c *carrier) Read(p []byte) (int, error) {
	if c.dry {
		return 0, errDry
	}
	return c.Conn.Read(p)
}

// carrierOf is what carries a connection with TLS that Server.secure has made; nil for others.
func carrierOf(conn net.Conn) *carrier {
	if secured, ok := conn.(*tls.Conn); ok {
		c, _ := secured.NetConn().(*carrier)
		return c
	}
	return nil
}

// readAtHand reads what has come in with what was read before. An error comes again with the next Read.
func (r *socket) readAtHand(p []byte) int {
	if r.carrier == nil {
		return 0
	}
	r.carrier.dry = true
	defer func() { r.carrier.dry = false }()
	n, _ := r.conn.Read(p)
	return n
}
