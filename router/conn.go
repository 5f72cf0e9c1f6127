package router

import (
	"crypto/tls"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// conn is a client's connection on the fast path, served by one goroutine, which is all that happens in it as long as requests are small.
//
// No timer runs and no deadline is set for it. What it does at the moment is in state, and the patrol looks there now and then; where nothing
// has moved for too long it cuts the connection off.
type conn struct {
	net.Conn
	*socket
	server    *Server
	plain     net.Conn // what carries TLS, else Conn itself
	secure    bool
	remote    string // address of the client
	port      string // that the client connected to
	forwarded []byte // header lines that tell the container so
	forwarder bool   // what the client says of others is believed
	named     string // the host of the last request that was logged
	in        buffer // received and not used yet
	spare     buffer // the same, after a body that did not come in together with its header section

	state   atomic.Uint64            // a phase, and above it a number that grows with each change
	moved   atomic.Uint32            // grows with each movement on another goroutine
	peer    atomic.Pointer[upstream] // of the request under way; set before the phase that needs it begins
	sending atomic.Pointer[sending]  // the request's body, while another goroutine sends it

	mu  sync.Mutex
	why *refusal // why the patrol, or a Drain, has cut the connection off

	watched // by the patrol
}

// longAgo is the deadline that ends whatever waits.
var longAgo = time.Unix(1, 0)

// phase is what a conn does, and so what may take how long.
type phase uint8

const (
	idle     phase = iota // between requests
	heading               // a request's header section comes in
	receipt               // a small body comes in
	dialing               // connects to the container; bounded by itself
	waiting               // for the answer to begin, and for a body to pass
	answer                // the answer passes
	tunnel                // an upgraded connection
	settling              // bounded by itself
	cut                   // ended by cutOff, a reason is in why
)

func phaseOf(state uint64) phase { return phase(state & 0xff) }

// enter begins a phase, or marks a movement in it. It returns why the connection was cut off, if it was.
func (c *conn) enter(p phase) *refusal {
	next := (c.state.Load()>>8+1)<<8 | uint64(p)
	switch {
	case phaseOf(c.state.Swap(next)) == cut:
		return c.reason()
	case c.server.ended.Load():
		return errGone
	}
	return nil
}

// verdict is why the connection was cut off, nil if it was not since the last enter.
func (c *conn) verdict() *refusal {
	if phaseOf(c.state.Load()) != cut {
		return nil
	}
	return c.reason()
}

// reason waits until the cutting is over.
func (c *conn) reason() *refusal {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}

// cutOff ends what the connection is doing, unless that is nothing that why could matter to.
func (c *conn) cutOff(why *refusal) {
	for {
		seen := c.state.Load()
		if p := phaseOf(seen); p != waiting && p != answer && p != tunnel {
			return
		}
		if c.cutIf(seen, why) {
			return
		}
	}
}

// cutIf is cutOff if the state is still the one that was seen.
func (c *conn) cutIf(seen uint64, why *refusal) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.state.CompareAndSwap(seen, seen&^0xff|uint64(cut)) {
		return false
	}
	c.why = why
	c.breakOff(phaseOf(seen))
	return true
}

// breakOff makes whatever blocks in the phase return.
func (c *conn) breakOff(p phase) {
	switch p {
	case idle, heading, receipt:
		_ = c.SetReadDeadline(longAgo)
	case waiting, answer:
		c.closePeer()
		if c.sending.Load() != nil {
			_ = c.SetReadDeadline(longAgo)
		}
		if p == answer {
			_ = c.SetWriteDeadline(longAgo)
		}
	case tunnel:
		c.close()
	}
}

// close ends the connection and the request under way from any goroutine.
func (c *conn) close() {
	c.closePeer()
	_ = c.plain.Close()
}

func (c *conn) closePeer() {
	if up := c.peer.Load(); up != nil {
		_ = up.Close()
	}
}

// newConn prepares a connection; for one with TLS the handshake is over.
func newConn(s *Server, c, plain net.Conn) *conn {
	_, secure := c.(*tls.Conn)
	remote, local := c.RemoteAddr(), c.LocalAddr()
	if p, ok := plain.(*proxied); ok {
		plain = p.TCPConn
	}
	if !secure {
		c = plain
	}
	cc := &conn{Conn: c, socket: newSocket(c), server: s, plain: plain, secure: secure}
	cc.remote = remoteIP(remote.String())
	cc.port = portOf(local)
	cc.forwarder = s.router.cfg.trusts(cc.remote)
	from := cc.source()
	cc.forwarded = from.lines(nil)
	return cc
}

// source is where the connection's requests come from, if nobody else is trusted to tell.
func (c *conn) source() source {
	from := source{real: c.remote, chain: c.remote, proto: "http", port: c.port}
	if c.secure {
		from.proto = "https"
	}
	return from
}

// serve carries requests until the connection ends.
func (c *conn) serve() {
	defer c.Close()
	c.state.Store(uint64(heading))
	for c.await() {
		if !c.carryOne() || c.server.closing.Load() {
			break
		}
		if c.enter(idle) != nil {
			break
		}
	}
	c.in.drop()
}

// carryOne carries one request. It returns whether another may follow.
func (c *conn) carryOne() bool {
	again, lingers := c.pass()
	if lingers {
		c.linger()
	}
	return again
}

func (c *conn) pass() (again, lingers bool) {
	p := newPassage(c)
	defer p.end()
	again = p.run()
	return again, p.lingers
}

// await returns once there is something of a request, or false if there will be none. An empty line before a request is ignored (RFC 9112,
// 2.2).
func (c *conn) await() bool {
	for range 2 {
		for c.in.len() < 2 {
			if c.in.len() > 0 && c.enter(heading) != nil {
				return false
			}
			c.in.room()
			if c.fill(&c.in) != nil {
				return false
			}
		}
		if string(c.in.bytes()[:2]) != "\r\n" {
			return true
		}
		c.in.r += 2
		c.in.tidy()
	}
	return true
}

// linger lets the last answer arrive: closing a connection on which bytes still come in would take back what was sent. It ends when the client has
// seen the end, after two seconds at the latest.
func (c *conn) linger() {
	_ = c.SetReadDeadline(time.Now().Add(2 * time.Second))
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	for {
		c.in.drop()
		if c.fill(&c.in) != nil {
			return
		}
	}
}

func portOf(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return strconv.Itoa(tcp.Port)
	}
	_, port, _ := net.SplitHostPort(addr.String())
	return port
}
