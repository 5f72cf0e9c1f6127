package router_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"boathook/router"
)

// front is a Router behind its real server.
type front struct {
	*router.Router
	t    testing.TB
	addr string
}

// path is how requests are carried.
type path int

const (
	fast    path = iota // conn and passage, for HTTP/1.1
	netHTTP             // net/http, for HTTP/2
)

// onBothPaths runs a test once for each: both have the same rules.
func onBothPaths(t *testing.T, test func(t *testing.T, on path)) {
	t.Run("fast", func(t *testing.T) { test(t, fast) })
	t.Run("net-http", func(t *testing.T) { test(t, netHTTP) })
}

func newFront(t testing.TB, on path, cfg router.Config) *front {
	t.Helper()
	r := router.New(cfg)
	t.Cleanup(func() { _ = r.Close() })
	return frontOf(t, on, r)
}

// newSecureFront has TLS, with a certificate that no client knows.
func newSecureFront(t testing.TB, on path, cfg router.Config) *front {
	t.Helper()
	r := router.New(cfg)
	t.Cleanup(func() { _ = r.Close() })
	secured := unknownTLS(t)
	return frontBy(t, on, r, func(s *router.Server, l net.Listener) error { return s.ServeTLS(l, secured) })
}

// frontOf serves a router that is closed by somebody else.
func frontOf(t testing.TB, on path, r *router.Router) *front {
	t.Helper()
	return frontBy(t, on, r, (*router.Server).Serve)
}

func frontBy(t testing.TB, on path, r *router.Router, serve func(*router.Server, net.Listener) error) *front {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, done := router.NewServer(r), make(chan struct{})
	if on == netHTTP {
		router.ForceNetHTTP(server)
	}
	go func() {
		defer close(done)
		_ = serve(server, listener) // nil after Close
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return &front{r, t, listener.Addr().String()}
}

// app starts a container and returns it as the target called name.
func app(t *testing.T, name string, handler http.HandlerFunc) router.Target {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return router.Target{Name: name, Addr: server.Listener.Addr().String()}
}

// says answers every request with text.
func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// route is a route of the app "shop", release 1, to targets.
func route(targets ...router.Target) router.Route {
	return router.Route{App: "shop", Release: "1", Hosts: []string{"shop.test"}, Targets: targets, Serving: true}
}

// answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) reason() string { return a.header.Get("X-Scalingo-Error") }

// request makes a request for shop.test; edit may change it.
func (f *front) request(ctx context.Context, method, path string, body io.Reader, edit ...func(*http.Request)) *http.Request {
	f.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+f.addr+path, body)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Host = "shop.test"
	for _, change := range edit {
		change(req)
	}
	return req
}

func send(client *http.Client, req *http.Request) (answer, error) {
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(body)}, err
}

func (f *front) do(req *http.Request) answer {
	f.t.Helper()
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	asIs := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	got, err := send(&http.Client{Transport: transport, CheckRedirect: asIs}, req)
	if err != nil {
		f.t.Fatal(err)
	}
	return got
}

func (f *front) get(path string, edit ...func(*http.Request)) answer {
	f.t.Helper()
	return f.do(f.request(f.t.Context(), "GET", path, nil, edit...))
}

// dial opens a plain connection to the router, which ends with the test.
func (f *front) dial() (net.Conn, *bufio.Reader) {
	f.t.Helper()
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second)) // a hang must not outlive the test
	return conn, bufio.NewReader(conn)
}

func write(t *testing.T, w io.Writer, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		t.Fatal(err)
	}
}

// eventually polls until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	within(t, 20*time.Second, what, ok)
}

// within is eventually for what takes long.
func within(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestRoundRobin(t *testing.T) { onBothPaths(t, testRoundRobin) }

func testRoundRobin(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	f.Set(route(app(t, "web-1", says("1")), app(t, "web-2", says("2")), app(t, "web-3", says("3"))))
	var got strings.Builder
	for range 9 {
		got.WriteString(f.get("/").body)
	}
	if got.String() != "123123123" {
		t.Errorf("turns = %s", got.String())
	}
}

func TestHosts(t *testing.T) { onBothPaths(t, testHosts) }

func testHosts(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	f.Set(route(app(t, "web-1", says("shop"))))
	thief := router.Route{App: "thief", Release: "2", Hosts: []string{"SHOP.test", "thief.test"}, Serving: true,
		Targets: []router.Target{app(t, "web-1", says("thief"))}}
	f.Set(thief)
	for host, want := range map[string]string{
		"shop.test": "shop", "SHOP.TEST": "shop", "shop.test.": "shop", "shop.test:8080": "shop", "Shop.Test.:1": "shop",
		"thief.test": "thief",
	} {
		if got := f.get("/", func(r *http.Request) { r.Host = host }); got.body != want {
			t.Errorf("%s: %d %q, want %q", host, got.status, got.body, want)
		}
	}
	f.Remove("shop")
	if got := f.get("/"); got.body != "thief" {
		t.Errorf("a host that was given up: %q", got.body)
	}
	if got := f.Routes(); len(got) != 1 || got[0].App != "thief" {
		t.Errorf("Routes() = %v", got)
	}
}

// TestTarget passes request targets that Go's URL type would like to rewrite.
func TestTarget(t *testing.T) { onBothPaths(t, testTarget) }

func testTarget(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	f.Set(route(app(t, "web-1", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RequestURI) })))
	for _, target := range []string{"/", "/?", "//a//b/../c", "/a%2Fb", "/?a;b&c=%zz", "/%E4?x=%41", "/a?b?c#d"} {
		conn, r := f.dial()
		write(t, conn, "GET %s HTTP/1.1\r\nHost: shop.test\r\n\r\n", target)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Replace(target, "#d", "%23d", 1); string(body) != target && string(body) != want {
			t.Errorf("%s arrived as %s", target, body)
		}
	}
}
