package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"boathook/router"
)

// front is what the world reaches by HTTP, of boathook serve or boathook router: the router, the metrics, and their ports.
type front struct {
	settings *webConfig
	log      *slog.Logger
	upgrades *upgrades

	router   *router.Router // nil: it is another process
	web      *router.Server
	requests time.Duration // how long those under way may take to finish at the end

	httpListener    net.Listener // nil without a router
	httpsListener   net.Listener // nil if nobody asked for it
	metricsListener net.Listener // likewise
	metrics         *http.Server

	accessFile *accessFile // nil if nobody asked for it

	succeeded bool // another boathook has taken over

	closers []func() error // in the order in which they were opened
}

// openWeb serves the router's requests. What is opened before is closed after requests under way are answered.
func (f *front) openWeb(r *router.Router) {
	f.router, f.web = r, router.NewServer(r)
	f.requests = 10 * time.Second
	f.onClose(func() error {
		ctx, stop := context.WithTimeout(context.Background(), f.requests)
		defer stop()
		return f.web.Shutdown(ctx)
	})
}

// listenWeb takes the ports, and has the next boathook get them.
func (f *front) listenWeb(held inherited) (err error) {
	if f.web != nil {
		if f.httpListener, err = f.door(held, "http", f.settings.httpAddr); err != nil {
			return err
		}
		if f.httpsListener, err = f.door(held, "https", f.settings.httpsAddr); err != nil {
			return err
		}
	}
	f.metricsListener, err = f.door(held, "metrics", f.settings.metricsAddr)
	return err
}

// door opens an address, or takes the socket of that name that was open before, for this boathook and the next; without an address it returns nil.
func (f *front) door(held inherited, name, address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	l, err := held.listen(name, address)
	if err != nil {
		return nil, err
	}
	f.onClose(ignoreClosed(l.Close))
	if err := f.upgrades.keep(name, l); err != nil {
		return nil, fmt.Errorf("socket %s for the next boathook: %w", name, err)
	}
	return l, nil
}

// serveWeb starts serving.
func (f *front) serveWeb(start func(what string, serve func() error)) {
	if f.web != nil {
		start("http", func() error { return f.web.Serve(f.httpListener) })
	}
	if f.httpsListener != nil {
		start("https", func() error { return f.web.ServeTLS(f.httpsListener, f.router.TLSConfig()) })
	}
	if f.metricsListener != nil {
		start("metrics", func() error { return ignoreClosed(func() error { return f.metrics.Serve(f.metricsListener) })() })
	}
}

// shutWeb takes no more connections, and leaves the access log to the next boathook but for requests under way.
func (f *front) shutWeb() error {
	err := errors.Join(f.metrics.Close(), f.accessFile.share())
	for _, l := range []net.Listener{f.httpListener, f.httpsListener} {
		if l != nil {
			err = errors.Join(err, ignoreClosed(l.Close)())
		}
	}
	return err
}

// inherit takes the sockets that were open before this process, once; there may be none.
func (f *front) inherit() (inherited, error) {
	if f.upgrades.succeeds() {
		return f.upgrades.held, nil
	}
	return activated()
}

// addressOf is where a listener listens, "none" for one that there is not.
func addressOf(l net.Listener) string {
	if l == nil {
		return none
	}
	return l.Addr().String()
}

func (f *front) onClose(closeIt func() error) { f.closers = append(f.closers, closeIt) }

func (f *front) close() error {
	var errs []error
	for i := len(f.closers) - 1; i >= 0; i-- {
		errs = append(errs, f.closers[i]())
	}
	f.closers = nil
	return errors.Join(errs...)
}

// ignoreClosed takes an end that was asked for for no error.
func ignoreClosed(do func() error) func() error {
	return func() error {
		if err := do(); err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}
}

// workers are the goroutines that serve. The first that fails ends the context.
type workers struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	sync.WaitGroup
}

func newWorkers(ctx context.Context) *workers {
	w := &workers{}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	return w
}

// start runs serve until it returns.
func (w *workers) start(what string, serve func() error) {
	w.Go(func() {
		if err := serve(); err != nil && !errors.Is(err, net.ErrClosed) && w.ctx.Err() == nil {
			w.cancel(fmt.Errorf("%s: %w", what, err))
		}
	})
}

// failure is what ended the context, if it was one of them.
func (w *workers) failure() error {
	if cause := context.Cause(w.ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}
