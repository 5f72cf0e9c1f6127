package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"boathook/router"
)

// routerHost is the host of all requests but those to manyDoor, where there are manyHosts.
const (
	routerHost = "app.test"
	manyHosts  = 10_000
)

// hostName is the n-th of many.
func hostName(n int) string { return fmt.Sprintf("app-%d.test", n) }

func hostNames() (all []string) {
	for n := range manyHosts {
		all = append(all, hostName(n))
	}
	return all
}

// serveProxy is a Go proxy until it is told to end: KIND APP DIRECTORY and an address for each door.
func serveProxy(ctx context.Context, args []string, _ io.Writer) (_ map[string]any, err error) {
	if len(args) != 3+int(doors) {
		return nil, errUsage
	}
	kind, app, dir, ports := args[0], args[1], args[2], args[3:]
	certificate, err := tls.LoadX509KeyPair(filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		return nil, err
	}
	secured := &tls.Config{Certificates: []tls.Certificate{certificate}}
	file, err := os.Create(filepath.Join(dir, kind+"-access.log"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	proxy, logged, many := makeProxy(kind, app, nil, routerHost), makeProxy(kind, app, file, routerHost), makeProxy(kind, app, nil, hostNames()...)
	var serving sync.WaitGroup
	for i, serve := range []func(net.Listener) error{
		proxy.Serve, logged.Serve, func(l net.Listener) error { return proxy.ServeTLS(l, secured) }, many.Serve,
	} {
		listener, err := net.Listen("tcp", ports[i])
		if err != nil {
			return nil, err
		}
		serving.Go(func() { _ = serve(listener) }) // it ends with the process
	}
	<-ctx.Done()
	err = errors.Join(proxy.Close(), logged.Close(), many.Close())
	serving.Wait()
	return nil, err
}

// proxyServer is what all kinds of Go proxies have in common.
type proxyServer interface {
	Serve(net.Listener) error
	ServeTLS(net.Listener, *tls.Config) error
	Close() error
}

// makeProxy returns one that logs requests to access, unless that is nil. Those of the standard library ask for no host.
func makeProxy(kind, app string, access *os.File, hosts ...string) proxyServer {
	switch kind {
	case "boathook":
		return makeRouter(app, access, hosts)
	case "ReverseProxy":
		return standardServer{&http.Server{Handler: withLog(access, &httputil.ReverseProxy{Rewrite: rewriteTo(app)})}}
	}
	return standardServer{&http.Server{Handler: withLog(access, tunedProxy(app)), ReadHeaderTimeout: 20 * time.Second, IdleTimeout: 75 * time.Second}}
}

// makeRouter serves an app with these hosts. Its queue takes as many requests as clients can have under way.
func makeRouter(app string, access *os.File, hosts []string) proxyServer {
	cfg := router.Config{Queue: 4096}
	if access != nil {
		cfg.AccessLog = router.NewJSONLog(access)
	}
	r := router.New(cfg)
	r.Set(router.Route{App: "app", Release: "1", Hosts: hosts, Serving: true, Targets: []router.Target{{Name: "web-1", Addr: app}}})
	return router.NewServer(r)
}

// tunedProxy is a ReverseProxy as proxies of its kind have it: many idle connections, no compression, a pool of buffers.
func tunedProxy(app string) http.Handler {
	return &httputil.ReverseProxy{Rewrite: rewriteTo(app), BufferPool: &blocks{}, Transport: &http.Transport{
		MaxIdleConns: 4096, MaxIdleConnsPerHost: 4096, IdleConnTimeout: 75 * time.Second, DisableCompression: true,
	}}
}

func rewriteTo(app string) func(*httputil.ProxyRequest) {
	to := &url.URL{Scheme: "http", Host: app}
	return func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
		r.SetXForwarded()
	}
}

// withLog writes a line a request.
func withLog(file *os.File, next http.Handler) http.Handler {
	if file == nil {
		return next
	}
	access := slog.New(slog.NewJSONHandler(file, nil))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		next.ServeHTTP(w, r)
		access.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("remote", r.RemoteAddr), slog.String("host", r.Host),
			slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Duration("duration", time.Since(begin)))
	})
}

// blocks is a pool for copying bodies.
type blocks struct{ pool sync.Pool }

func (b *blocks) Get() []byte {
	if block, ok := b.pool.Get().(*[32 << 10]byte); ok {
		return block[:]
	}
	return make([]byte, 32<<10)
}

func (b *blocks) Put(block []byte) { b.pool.Put((*[32 << 10]byte)(block)) }

// standardServer is an http.Server with the methods of a router.Server.
type standardServer struct{ *http.Server }

func (s standardServer) ServeTLS(l net.Listener, cfg *tls.Config) error {
	cfg = cfg.Clone()
	cfg.NextProtos = []string{"h2", "http/1.1"}
	return s.Serve(tls.NewListener(l, cfg))
}
