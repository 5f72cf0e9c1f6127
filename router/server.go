package router

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Server serves a Router's requests to clients that may be slow or mean. Make one with NewServer; one Server may serve
// several listeners. There is no limit on the time of a whole request: the Router watches bodies byte by byte.
type Server struct {
	web *http.Server
}

// NewServer returns a server of r's requests, with r's limits.
func NewServer(r *Router) *Server {
	return &Server{&http.Server{
		Handler:           r,
		ReadHeaderTimeout: 20 * time.Second,
		IdleTimeout:       75 * time.Second,
		// Beyond this net/http answers 431 by itself; between MaxHeader and this the Router does, with the reason.
		MaxHeaderBytes:               2 * r.cfg.MaxHeader,
		DisableGeneralOptionsHandler: true, // OPTIONS * is the app's
		ErrorLog:                     slog.NewLogLogger(r.cfg.Log.Handler(), slog.LevelDebug),
	}}
}

// Serve serves HTTP/1.1 on l and closes it in the end. It returns nil after Shutdown or Close.
func (s *Server) Serve(l net.Listener) error { return ignoreServerClosed(s.web.Serve(l)) }

// ServeTLS serves HTTPS on l, HTTP/2 and HTTP/1.1, as Serve does; cfg names the certificates.
func (s *Server) ServeTLS(l net.Listener, cfg *tls.Config) error {
	protocols := cfg.Clone()
	protocols.NextProtos = append([]string{"h2", "http/1.1"}, cfg.NextProtos...)
	return ignoreServerClosed(s.web.Serve(tls.NewListener(l, protocols)))
}

func ignoreServerClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Shutdown stops accepting, lets requests finish for as long as ctx lasts, and then cuts them off.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.web.Shutdown(ctx); err != nil {
		return s.web.Close()
	}
	return nil
}

// Close cuts everything off.
func (s *Server) Close() error { return s.web.Close() }
