package router

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Server serves a Router's requests to clients that may be slow or mean. Make one with NewServer; one Server may serve
// several listeners. There is no limit on the time of a whole request: the Router watches bodies byte by byte.
//
// A connection that speaks HTTP/1.1 is served by the fast path (conn), one with HTTP/2 by net/http and the Router's ServeHTTP. Both have the same
// rules.
type Server struct {
	router *Router
	web    *http.Server
	handed *handover // connections for web
	patrol *patrol
	slow   bool // everything goes to web, for tests

	newcomers time.Duration // newcomerTime, but for tests

	closing atomic.Bool     // no new connections, and on those that there are no more than the request under way
	ended   atomic.Bool     // no requests any more
	ctx     context.Context // ends with the patrol, and with what has just been accepted
	stop    context.CancelFunc
	active  sync.WaitGroup

	accepting sync.WaitGroup // who takes connections from a listener
	arriving  atomic.Int64   // connections that are not with the patrol or web yet

	mu        sync.Mutex // guards what follows
	listeners map[net.Listener]struct{}
	started   bool // the patrol and web run
	stopped   bool // connections are closed at once
}

// newcomerTime is how long Shutdown waits for the first request of a connection that was accepted before: unlike one on a connection that was idle,
// nobody would repeat it.
const newcomerTime = time.Second

// handshakeTime bounds a TLS handshake.
const handshakeTime = 10 * time.Second

// NewServer returns a server of r's requests, with r's limits.
func NewServer(r *Router) *Server {
	web := &http.Server{
		Handler:           r,
		ReadHeaderTimeout: r.cfg.Header,
		IdleTimeout:       r.cfg.KeepAlive,
		// Beyond this net/http answers 431 by itself; between MaxHeader and this the Router does, with the reason.
		MaxHeaderBytes:               2 * r.cfg.MaxHeader,
		DisableGeneralOptionsHandler: true, // OPTIONS * is the app's
		ErrorLog:                     slog.NewLogLogger(r.cfg.Log.Handler(), slog.LevelDebug),
	}
	s := &Server{router: r, web: web, handed: newHandover(), patrol: newPatrol(r.cfg), newcomers: newcomerTime, listeners: make(map[net.Listener]struct{})}
	web.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.arriving.Add(-1)
		}
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Serve serves HTTP/1.1 on l and closes it in the end. It returns nil after Shutdown or Close.
func (s *Server) Serve(l net.Listener) error { return s.accept(l, s.plain) }

// ServeTLS serves HTTPS on l, HTTP/2 and HTTP/1.1, as Serve does; cfg names the certificates.
func (s *Server) ServeTLS(l net.Listener, cfg *tls.Config) error {
	protocols := cfg.Clone()
	protocols.NextProtos = append([]string{"h2", "http/1.1"}, cfg.NextProtos...)
	return s.accept(l, func(c net.Conn) { s.secure(c, protocols) })
}

// accept has each connection of l served on a goroutine of its own.
func (s *Server) accept(l net.Listener, serve func(net.Conn)) error {
	defer l.Close()
	if !s.begin(l) {
		return nil
	}
	defer s.accepting.Done()
	for {
		c, err := l.Accept()
		switch {
		case err != nil && s.closing.Load():
			return nil
		case isTemporary(err):
			time.Sleep(10 * time.Millisecond) // no file descriptor is left, say
			continue
		case err != nil:
			return err
		}
		s.launch(c, serve)
	}
}

// launch serves a connection on its own goroutine.
func (s *Server) launch(c net.Conn, serve func(net.Conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		_ = c.Close()
		return
	}
	s.arriving.Add(1)
	s.active.Go(func() {
		if c := s.introduce(c); c != nil {
			serve(c)
		} else {
			s.arriving.Add(-1)
		}
	})
}

// introduce finds out who is behind a connection, if that is to be learned from it. It returns nil for one that it had to close.
func (s *Server) introduce(c net.Conn) net.Conn {
	if !s.router.cfg.ProxyProtocol {
		return c
	}
	detach := context.AfterFunc(s.ctx, func() { _ = c.Close() })
	defer detach()
	known, err := readProxyHeader(c)
	if err != nil {
		s.router.cfg.Log.Debug("PROXY header", "remote", c.RemoteAddr().String(), "err", err)
		_ = c.Close()
		return nil
	}
	return known
}

// isTemporary tells whether a listener goes on after an error.
func isTemporary(err error) bool {
	var temporary interface{ Temporary() bool }
	return errors.As(err, &temporary) && temporary.Temporary()
}

// begin registers a listener, whose accepting is counted in, and starts what all of them need. It returns false after Shutdown or Close.
func (s *Server) begin(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	s.accepting.Add(1)
	s.listeners[l] = struct{}{}
	if !s.started {
		s.started = true
		s.active.Go(func() { s.patrol.walk(s.ctx) })
		s.active.Go(func() { _ = s.web.Serve(s.handed) })
	}
	return true
}

// plain serves a connection without TLS.
func (s *Server) plain(c net.Conn) {
	if s.slow {
		s.hand(c)
		return
	}
	s.serve(newConn(s, c, c))
}

// secure serves a connection with TLS.
func (s *Server) secure(c net.Conn, cfg *tls.Config) {
	secured := tls.Server(&carrier{Conn: c}, cfg)
	ctx, cancel := context.WithTimeout(s.ctx, handshakeTime)
	defer cancel()
	if err := secured.HandshakeContext(ctx); err != nil {
		s.router.cfg.Log.Debug("handshake", "remote", c.RemoteAddr().String(), "err", err)
		_ = c.Close()
		s.arriving.Add(-1)
		return
	}
	switch secured.ConnectionState().NegotiatedProtocol {
	case "", "http/1.1":
		if !s.slow {
			s.serve(newConn(s, secured, c))
			return
		}
		fallthrough
	case "h2":
		s.hand(secured)
	default:
		_ = secured.Close() // the handshake was all, as with ACME's TLS-ALPN-01
		s.arriving.Add(-1)
	}
}

// hand has net/http serve a connection, which it counts as arrived when it knows of it.
func (s *Server) hand(c net.Conn) {
	if !s.handed.give(c) {
		s.arriving.Add(-1)
	}
}

// serve serves a connection of the fast path to its end.
func (s *Server) serve(c *conn) {
	s.patrol.add(c)
	s.arriving.Add(-1)
	defer s.patrol.remove(c)
	defer func() {
		if fault := recover(); fault != nil {
			s.router.cfg.Log.Error("a request broke the router", "remote", c.remote, "err", fault)
		}
	}()
	c.serve()
}

// Shutdown stops accepting, lets requests finish for as long as ctx lasts, and then cuts off what is left. A connection that was accepted has its
// request if it comes within newcomerTime. It does not wait for upgraded connections.
func (s *Server) Shutdown(ctx context.Context) error {
	s.refuseMore()
	s.accepting.Wait()
	newcomers := time.Now().Add(s.newcomers)
	until(ctx, func() bool { return s.arriving.Load() == 0 || time.Now().After(newcomers) })
	_ = s.web.Shutdown(ctx) // an error is that ctx has ended
	until(ctx, func() bool { return s.patrol.dismiss(time.Now().After(newcomers)) == 0 })
	return s.Close()
}

// until asks again and again until it is so, or ctx ends.
func until(ctx context.Context, isSo func() bool) {
	for !isSo() && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Close cuts everything off and waits until it has ended.
func (s *Server) Close() error {
	s.refuseMore()
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.ended.Store(true)
	err := s.web.Close()
	s.stop()
	s.patrol.expel()
	s.active.Wait()
	return err
}

// refuseMore closes the listeners.
func (s *Server) refuseMore() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing.Store(true)
	for l := range s.listeners {
		_ = l.Close()
	}
}

// handover is a listener whose connections were accepted by another.
type handover struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHandover() *handover {
	return &handover{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// give has the connection accepted, or closes it and returns false.
func (h *handover) give(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.closed:
		_ = c.Close()
		return false
	}
}

func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

func (h *handover) Addr() net.Addr { return &net.TCPAddr{} }
