package receive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/gliderlabs/ssh"
)

// Identity is who a session belongs to.
type Identity struct {
	User        string
	Admin       bool
	Operator    bool   // came through the admin socket: whoever runs this server; User is empty
	Fingerprint string // SHA256:… of the key that signed
	Certificate string // what certifies that key, for the audit; "" nothing

	App   string    // the one app that the key is for, "" all that the user may
	Until time.Time // when the login ends by itself; zero: never
}

// ErrUnknownKey is what a KeyStore answers for a key that belongs to nobody.
var ErrUnknownKey = errors.New("unknown key")

// NoLogin is what a KeyStore answers for a key that it knows and that may not log in: a sentence that a terminal can be shown, for whoever
// signs with the key.
type NoLogin string

func (n NoLogin) Error() string { return string(n) }

// KeyStore knows whose key, or certificate, it is, and whether it may log in from remote. wire is in the format of RFC 4253, section 6.6.
// It is asked before and after the client has signed, for every session, and by Recheck.
type KeyStore interface {
	Identify(ctx context.Context, wire []byte, remote net.Addr) (Identity, error)
}

// Sessions does the work. Each method returns the exit status, 0 to 255. ctx ends when the client is gone, has closed the
// session or sent it a signal, and when the server shuts down. The app's name is well-formed; nothing else is known of it.
type Sessions interface {
	ReceivePack(ctx context.Context, who Identity, app string, s Session) int
	UploadPack(ctx context.Context, who Identity, app string, s Session) int
	Command(ctx context.Context, who Identity, line string, s Session) int
}

// Session is the client's end of a running command. Writing is safe from several goroutines.
type Session interface {
	Stdin() io.Reader
	Stdout() io.Writer
	Stderr() io.Writer
	RemoteAddr() net.Addr
	Width() int // columns of the client's terminal, 0 if it has none
	// Terminal is the client's terminal if it wants the command to work that, else nil. Stdin is its keys then, and Stdout and Stderr write
	// lines for it.
	Terminal() *Terminal
}

// Config is what a Server needs. A zero limit takes the default that stands beside it.
type Config struct {
	HostKeyDir string // made at the first start
	Keys       KeyStore
	Sessions   Sessions
	// Subsystems are what the operator may ask for by these names (RFC 4254, section 6.5), and nobody else. They return the exit status.
	Subsystems map[string]func(ctx context.Context, s Session) int
	Log        *slog.Logger
	Version    string // in the banner, behind "boathook_"

	// Refused is told of a connection that ended without a login though keys were offered: of the last one, and why. May be nil.
	Refused func(remote net.Addr, fingerprint string, why error)

	// LoggedIn is told of every login by a key or a certificate. May be nil.
	LoggedIn func(who Identity, remote net.Addr)

	MaxConnections           int           // 200; the admin socket does not count
	MaxConnectionsPerIP      int           // 50; per /64 for IPv6
	MaxSessionsPerConnection int           // 10, as OpenSSH
	AuthAttempts             int           // 6, as OpenSSH
	LoginGrace               time.Duration // 30 s from the connection to the accepted signature
	Idle                     time.Duration // 10 min without a session
	KeepAlive                time.Duration // 30 s between questions to the client of a running session; four without an answer end it
}

func (c *Config) defaults() {
	number := func(n *int, value int) {
		if *n <= 0 {
			*n = value
		}
	}
	duration := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	number(&c.MaxConnections, 200)
	number(&c.MaxConnectionsPerIP, 50)
	number(&c.MaxSessionsPerConnection, 10)
	number(&c.AuthAttempts, 6)
	duration(&c.LoginGrace, 30*time.Second)
	duration(&c.Idle, 10*time.Minute)
	duration(&c.KeepAlive, 30*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// banner is the version of RFC 4253, section 4.2: printable ASCII without blanks and minus signs.
func (c *Config) banner() string {
	clean := strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || r == '-' {
			return '_'
		}
		return r
	}, c.Version)
	if clean == "" {
		return "boathook"
	}
	return "boathook_" + clean
}

// ErrEnded is the cause with which a session's context ends when whoever began it could not log in any more.
var ErrEnded = errors.New("your access has ended: ask an administrator")

// ErrShutdown is the cause with which a session's context ends when the server shuts down.
var ErrShutdown = errors.New("boathook is stopping: try again when it is back")

// Server serves SSH connections. Its zero value is of no use: see New.
type Server struct {
	cfg      Config
	hostKeys []ssh.Signer

	sessions context.Context // parent of every session's; ends at Shutdown, not with the listener
	abort    context.CancelCauseFunc

	mu        sync.Mutex // guards what follows
	closing   bool
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	perIP     map[string]int
	public    int // connections that count against MaxConnections

	serving sync.WaitGroup // connections; Add under mu, and not while closing
	running sync.WaitGroup // sessions; likewise
}

// New loads the host keys, or makes them.
func New(cfg Config) (*Server, error) {
	cfg.defaults()
	keys, err := loadHostKeys(cfg.HostKeyDir)
	if err != nil {
		return nil, fmt.Errorf("host keys: %w", err)
	}
	ctx, abort := context.WithCancelCause(context.Background())
	return &Server{
		cfg: cfg, hostKeys: keys, sessions: ctx, abort: abort,
		listeners: map[net.Listener]struct{}{}, conns: map[*conn]struct{}{}, perIP: map[string]int{},
	}, nil
}

// Serve accepts connections until ctx ends or Shutdown is called, and then returns nil with l closed. Connections that
// are open go on until Shutdown.
func (s *Server) Serve(ctx context.Context, l net.Listener) error { return s.accept(ctx, l, false) }

// ServeAdmin serves the operator: the same protocol without authentication, as whoever may open the socket is the
// operator. See ListenAdmin. It must never be given a listener that others can reach.
func (s *Server) ServeAdmin(ctx context.Context, l net.Listener) error { return s.accept(ctx, l, true) }

func (s *Server) accept(ctx context.Context, l net.Listener, admin bool) error {
	defer l.Close()
	if !s.track(l) {
		return nil
	}
	defer s.untrack(l)
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for pause := time.Duration(0); ; {
		raw, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.serve(raw, admin)
		case ctx.Err() != nil || s.isClosing():
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default: // out of descriptors, or a connection that was reset in the queue
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.cfg.Log.Warn("ssh accept", "err", err)
			select {
			case <-ctx.Done():
			case <-s.sessions.Done():
			case <-time.After(pause):
			}
		}
	}
}

// serve starts a connection's goroutine, or refuses the connection.
func (s *Server) serve(raw net.Conn, admin bool) {
	c, err := s.admit(raw, admin)
	if err != nil {
		s.cfg.Log.Warn("ssh connection refused", "remote", raw.RemoteAddr().String(), "err", err)
		raw.Close()
		return
	}
	go func() {
		defer s.serving.Done()
		defer s.dismiss(c)
		c.serve()
	}()
}

// Shutdown stops accepting, ends every session's context with ErrShutdown, lets the sessions say goodbye and send their
// exit status for as long as ctx lasts, and closes every connection. With ctx over it returns ctx's error, and the
// sessions' goroutines may still be at work.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	for l := range s.listeners {
		l.Close() // the accepting goroutine reports nothing once closing
	}
	s.mu.Unlock()
	s.abort(ErrShutdown)

	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = fmt.Errorf("sessions still running: %w", ctx.Err())
	}
	for _, c := range s.open() {
		c.Close()
	}
	s.serving.Wait()
	return err
}

// Recheck asks again whether those who are connected may log in, and ends the connections of those who may not. What they run has endGrace
// to say goodbye. A key that cannot be looked up now is looked up again with the connection's next session.
func (s *Server) Recheck(ctx context.Context) {
	for _, c := range s.open() {
		_, err := c.again(ctx)
		switch {
		case errors.Is(err, errRefused):
			c.expel(err)
		case err != nil && !errors.Is(err, errNobody):
			s.cfg.Log.Error("ssh key lookup", "remote", c.RemoteAddr().String(), "err", err)
		}
	}
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

func (s *Server) track(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		s.listeners[l] = struct{}{}
	}
	return !s.closing
}

func (s *Server) untrack(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

// begin counts a session in; false when it is too late for a new one. The caller calls s.running.Done.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		s.running.Add(1)
	}
	return !s.closing
}
