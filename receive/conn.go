package receive

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/gliderlabs/ssh"
	gossh "golang.org/x/crypto/ssh"
)

var (
	errTooMany   = errors.New("too many connections")
	errTooManyIP = errors.New("too many connections from this address")
)

// deadAfter is how many unanswered keepalives end a running session's connection.
const deadAfter = 4

// conn is a client's connection. It does its timing by deadlines on the socket: until authentication one that does not
// move (LoginGrace); then one that moves with everything read or written: Idle without a session, and deadAfter
// keepalives while one runs. A living client answers keepalives, so a silent build lasts as long as it likes.
type conn struct {
	net.Conn
	server *Server
	admin  bool
	ip     string // key of the count per address; empty for the admin socket

	refused struct { // the last key that was; only the handshake uses it
		fingerprint string
		why         error
	}

	life context.Context // parent of every session's: ends with the connection, and before it with the access
	end  context.CancelCauseFunc

	mu            sync.Mutex // guards what follows; setting a deadline does not block
	authenticated bool
	key           gossh.PublicKey // that logged in; nil before, and for the admin socket
	expiry        *time.Timer     // of that login; nil if it has none
	expelled      bool            // closes when no command runs
	channels      int             // open session channels
	sessions      int             // running commands
}

// admit counts a connection in.
func (s *Server) admit(raw net.Conn, admin bool) (*conn, error) {
	c := &conn{Conn: raw, server: s, admin: admin, authenticated: admin}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return nil, ErrShutdown
	}
	if !admin {
		c.ip = addressKey(raw.RemoteAddr())
		switch {
		case s.public >= s.cfg.MaxConnections:
			return nil, errTooMany
		case s.perIP[c.ip] >= s.cfg.MaxConnectionsPerIP:
			return nil, errTooManyIP
		}
		s.public++
		s.perIP[c.ip]++
	}
	c.life, c.end = context.WithCancelCause(s.sessions)
	s.conns[c] = struct{}{}
	s.serving.Add(1)
	return c, nil
}

// dismiss closes a connection and counts it out.
func (s *Server) dismiss(c *conn) {
	c.Close()
	c.end(nil)
	c.stopExpiry()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if c.admin {
		return
	}
	s.public--
	if s.perIP[c.ip]--; s.perIP[c.ip] == 0 {
		delete(s.perIP, c.ip)
	}
}

func (s *Server) open() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		open = append(open, c)
	}
	return open
}

// addressKey groups addresses that one person commands: an IPv4 address, or an IPv6 /64.
func addressKey(addr net.Addr) string {
	parsed, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return addr.String()
	}
	ip := parsed.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, _ := ip.Prefix(64) // 64 bits fit an IPv6 address
	return prefix.String()
}

// serve speaks SSH until the connection ends. Each connection has a gliderlabs server of its own: so the handlers know
// their connection, and nothing has to travel through a context.
func (c *conn) serve() {
	if c.admin {
		c.extend()
	} else if err := c.Conn.SetDeadline(time.Now().Add(c.server.cfg.LoginGrace)); err != nil {
		return
	}
	server := &ssh.Server{
		HostSigners: c.server.hostKeys,
		Version:     c.server.cfg.banner(),
		ChannelHandlers: map[string]ssh.ChannelHandler{
			"session": c.session,
			"default": func(_ *ssh.Server, _ *gossh.ServerConn, ch gossh.NewChannel, _ ssh.Context) {
				c.warn("refuse channel", ch.Reject(gossh.Prohibited, "boathook forwards nothing"))
			},
		},
		ServerConfigCallback:     func(ctx ssh.Context) *gossh.ServerConfig { return c.config(ctx) },
		ConnectionFailedCallback: func(_ net.Conn, err error) { c.failed(err) },
	}
	if !c.admin {
		server.PublicKeyHandler = c.offered // without one, gliderlabs turns authentication off
	}
	server.HandleConn(c)
}

// failed ends a handshake.
func (c *conn) failed(err error) {
	c.warn("ssh handshake", err)
	if c.refused.why != nil && c.server.cfg.Refused != nil {
		c.server.cfg.Refused(c.RemoteAddr(), c.refused.fingerprint, c.refused.why)
	}
}

func (c *conn) extend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.authenticated {
		return
	}
	limit := c.server.cfg.Idle
	if c.sessions > 0 {
		limit = deadAfter * c.server.cfg.KeepAlive
	}
	c.Conn.SetDeadline(time.Now().Add(limit)) // fails on a closed connection only, which the next read reports
}

// SetDeadline does nothing: gliderlabs takes the deadline away before every read and write, and here it is the timing.
func (c *conn) SetDeadline(time.Time) error { return nil }

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.extend()
	}
	return n, err
}

// Write may last for as long as a deadline does: a client that takes nothing at all for that time is gone. What is
// written moves the read deadline only where no session runs, as a dead client's kernel may accept bytes for a while.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	running := c.sessions > 0
	c.mu.Unlock()
	if running {
		c.Conn.SetWriteDeadline(time.Now().Add(deadAfter * c.server.cfg.KeepAlive)) // as in extend
	} else {
		c.extend()
	}
	return c.Conn.Write(p)
}

// count notes that channels were opened or closed, and commands started or ended; false if there would be too many channels.
func (c *conn) count(channels, sessions int) bool {
	c.mu.Lock()
	if channels > 0 && c.channels >= c.server.cfg.MaxSessionsPerConnection {
		c.mu.Unlock()
		return false
	}
	c.channels += channels
	c.sessions += sessions
	over := c.expelled && c.sessions == 0
	c.mu.Unlock()
	if over {
		c.hangUp()
	}
	c.extend()
	return true
}

func (c *conn) warn(what string, err error) {
	if err != nil {
		c.server.cfg.Log.Debug(what, "remote", c.RemoteAddr().String(), "err", err)
	}
}
