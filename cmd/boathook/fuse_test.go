package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"modernc.org/sqlite"

	"boathook/builder"
	"boathook/receive/deploy"
	"boathook/router"
	"boathook/runner"
)

// fuse ends the process with SIGKILL at the event of number at: before or after something that changes the world. Events are
// counted once it is lit, and written to log, a line each.
type fuse struct {
	at  int
	log io.Writer

	mu    sync.Mutex // guards what follows
	lit   bool
	count int
}

func (f *fuse) light() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lit = true
}

func (f *fuse) event(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.lit {
		return
	}
	f.count++
	fmt.Fprintf(f.log, "%d %s\n", f.count, fmt.Sprintf(format, args...))
	if f.count == f.at {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // nothing after this line runs
	}
}

// around is for a call that changes the world: an event before it, and one after it.
func around[T any](f *fuse, what string, call func() (T, error)) (T, error) {
	f.event("before %s", what)
	result, err := call()
	f.event("after %s", what)
	return result, err
}

// mortalMain is `boathook serve` with a fuse: FUSE is the number of its event, EVENTS the file of the events.
func mortalMain() {
	if err := mortalServe(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func mortalServe() error {
	cfg, err := parseConfig(os.Args[1:], os.Stderr)
	if err != nil {
		return err
	}
	at, err := strconv.Atoi(os.Getenv("FUSE"))
	if err != nil {
		return err
	}
	events, err := os.Create(os.Getenv("EVENTS"))
	if err != nil {
		return err
	}
	f := &fuse{at: at, log: events}
	if cfg.engine == "docker" {
		err = f.proxyDocker(filepath.Join(filepath.Dir(cfg.data), "docker.sock"))
	} else {
		f.watchCommits()
	}
	if err != nil {
		return err
	}
	s := newServer(cfg, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	s.parts = func(parts *deploy.Config) {
		parts.Router = mortalRouter{parts.Router, f}
		if cfg.engine == "local" { // an engine of its own process: its calls are all that can be seen of it
			parts.Engine, parts.Builder = mortalEngine{parts.Engine, f}, mortalBuilder{parts.Builder, f}
		}
	}
	ctx := context.Background()
	if err := s.open(ctx); err != nil {
		return err
	}
	f.light()
	fmt.Println(addressOf(s.sshListener), addressOf(s.httpListener))
	return s.run(ctx)
}

// watchCommits makes an event of every transaction. They are the same on every engine: one walk through them is enough.
func (f *fuse) watchCommits() {
	sqlite.RegisterConnectionHook(func(conn sqlite.ExecQuerierContext, _ string) error {
		conn.(sqlite.HookRegisterer).RegisterCommitHook(func() int32 {
			f.event("before a commit")
			return 0
		})
		return nil
	})
}

// proxyDocker puts a proxy between the server and the engine; each request that changes something is an event when it has
// been answered, which is also before the next one.
func (f *fuse) proxyDocker(socket string) error {
	proxy, err := engineProxy(func(r *http.Response) error { f.request(r.Request); return nil })
	if err != nil {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	go http.Serve(listener, proxy) // ends with the process
	return os.Setenv("DOCKER_HOST", "unix://"+socket)
}

// engineProxy passes requests on to the engine that the environment names, and shows the responses to seen.
func engineProxy(seen func(*http.Response) error) (http.Handler, error) {
	api, err := dockerClient(context.Background(), "docker")
	if err != nil {
		return nil, err
	}
	dial := api.Dialer()
	return &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "docker"}) },
		FlushInterval:  -1,
		Transport:      &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }},
		ModifyResponse: seen,
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, err error) { w.WriteHeader(http.StatusBadGateway) },
	}, nil
}

func (f *fuse) request(r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		f.event("after %s %s", r.Method, r.URL.Path)
	}
}

type mortalRouter struct {
	deploy.Router
	fuse *fuse
}

func (m mortalRouter) Set(route router.Route) *router.Drain {
	m.fuse.event("before the table's swap")
	drain := m.Router.Set(route)
	m.fuse.event("after the table's swap")
	return drain
}

func (m mortalRouter) Rename(from string, route router.Route) *router.Drain {
	m.fuse.event("before the table's swap")
	drain := m.Router.Rename(from, route)
	m.fuse.event("after the table's swap")
	return drain
}

type mortalBuilder struct {
	builder.Builder
	fuse *fuse
}

func (m mortalBuilder) Build(ctx context.Context, req builder.Request) (builder.Image, error) {
	req.Out = mortalWriter{req.Out, m.fuse}
	return around(m.fuse, "the build", func() (builder.Image, error) { return m.Builder.Build(ctx, req) })
}

func (m mortalBuilder) Remove(ctx context.Context, ref string) error {
	return m.fuse.around("the removal of an image", func() error { return m.Builder.Remove(ctx, ref) })
}

// around is the function of that name for calls without a result.
func (f *fuse) around(what string, call func() error) error {
	_, err := around(f, what, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

// mortalWriter makes an event of every line or so that a build or a hook prints.
type mortalWriter struct {
	io.Writer
	fuse *fuse
}

func (m mortalWriter) Write(p []byte) (int, error) {
	m.fuse.event("before output")
	return m.Writer.Write(p)
}

type mortalEngine struct {
	runner.Engine
	fuse *fuse
}

// Start starts the replicas one by one, so that there are events between them.
func (m mortalEngine) Start(ctx context.Context, spec runner.Spec) (all []runner.Instance, err error) {
	first, replicas := max(spec.First, 1), spec.Replicas
	for i := range replicas {
		spec.First, spec.Replicas = first+i, 1
		started, err := around(m.fuse, "the start of "+spec.Type, func() ([]runner.Instance, error) { return m.Engine.Start(ctx, spec) })
		if err != nil {
			return nil, err
		}
		all = append(all, started...)
	}
	return all, nil
}

func (m mortalEngine) Keep(ctx context.Context, sel runner.Selector) error {
	return m.fuse.around("keep", func() error { return m.Engine.Keep(ctx, sel) })
}

func (m mortalEngine) Run(ctx context.Context, spec runner.Spec, with runner.IO) (runner.Exit, error) {
	with.Out = mortalWriter{with.Out, m.fuse}
	return around(m.fuse, "the hook", func() (runner.Exit, error) { return m.Engine.Run(ctx, spec, with) })
}

func (m mortalEngine) Remove(ctx context.Context, sel runner.Selector, grace time.Duration) error {
	return m.fuse.around("the removal of containers", func() error { return m.Engine.Remove(ctx, sel, grace) })
}
