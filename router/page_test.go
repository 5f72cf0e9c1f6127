package router_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"boathook/router"
)

const (
	sorry  = "<!DOCTYPE html><title>Sorry</title><p>ä"
	repair = "<!DOCTYPE html><title>Repair</title>"
)

func accept(value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Accept", value) }
}

// TestErrorPage gives the app's page to clients that take HTML, for the router's own 502, 503 and 504 only.
func TestErrorPage(t *testing.T) { onBothPaths(t, testErrorPage) }

func testErrorPage(t *testing.T, on path) {
	drops := func(t *testing.T) router.Target {
		return app(t, "web-1", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	}
	fails := func(t *testing.T) router.Target {
		return app(t, "web-1", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "its own words", http.StatusServiceUnavailable)
		})
	}
	refuses := func(t *testing.T) router.Target { return refusing(t, "web-1") }
	for _, test := range []struct {
		name   string
		target func(t *testing.T) router.Target // nil: none
		change func(*router.Route)
		edit   func(*http.Request)
		status int
		reason string
		page   bool
	}{
		{name: "scaled to zero", status: 503, reason: "no web container", page: true},
		{name: "refuses", target: refuses, status: 502, reason: "all web containers in quarantine", page: true},
		{name: "drops", target: drops, status: 502, reason: "connection dropped", page: true},
		{name: "silent", target: silent, status: 504, reason: "first byte time-out", page: true},
		{name: "the app's own", target: fails, status: 503},
		{name: "no release", change: func(r *router.Route) { r.Serving = false }, status: 404, reason: "no release"},
		{name: "unknown host", edit: func(r *http.Request) { r.Host = "else.test" }, status: 404, reason: "unknown host"},
		{name: "no page", change: func(r *router.Route) { r.ErrorPage = "" }, status: 503, reason: "no web container"},
		{name: "a browser", edit: accept("text/html,application/xhtml+xml,*/*;q=0.8"), status: 503, reason: "no web container", page: true},
		{name: "anything", edit: accept("*/*"), status: 503, reason: "no web container", page: true},
		{name: "any text", edit: accept("application/json, Text/*;q=0.1"), status: 503, reason: "no web container", page: true},
		{name: "JSON", edit: accept("application/json"), status: 503, reason: "no web container"},
		{name: "all but HTML", edit: accept("text/html;level=1;q=0.0, */*"), status: 503, reason: "no web container"},
		{name: "nothing", edit: accept(""), status: 503, reason: "no web container"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg := router.Config{}
			if test.status == http.StatusGatewayTimeout {
				cfg.FirstByte = 20 * time.Millisecond
			}
			f := newFront(t, on, cfg)
			r := route()
			r.ErrorPage, r.MaintenancePage = sorry, repair
			if test.target != nil {
				r.Targets = []router.Target{test.target(t)}
			}
			if test.change != nil {
				test.change(&r)
			}
			f.Set(r)
			if test.edit == nil {
				test.edit = func(*http.Request) {}
			}
			got := f.get("/", test.edit)
			if got.status != test.status || got.reason() != test.reason || (got.body == sorry) != test.page {
				t.Errorf("%d %q %q, want %d %q, the page %v", got.status, got.reason(), got.body, test.status, test.reason, test.page)
			}
			if kind := got.header.Get("Content-Type"); (kind == "text/html; charset=utf-8") != test.page {
				t.Errorf("the page %v as %s", test.page, kind)
			}
			if got.header.Get("Content-Length") != strconv.Itoa(len(got.body)) {
				t.Errorf("%d bytes, %v", len(got.body), got.header)
			}
		})
	}
}

// TestMaintenance lets no request through, whatever the app has, and ends with the next route.
func TestMaintenance(t *testing.T) { onBothPaths(t, testMaintenance) }

func testMaintenance(t *testing.T, on path) {
	var reached atomic.Int64
	f := newFront(t, on, router.Config{})
	r := route(app(t, "web-1", func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	r.Maintenance, r.ErrorPage = true, sorry
	is := func(what, body string, edit ...func(*http.Request)) {
		t.Helper()
		got := f.do(f.request(t.Context(), "POST", "/", strings.NewReader("a body"), edit...))
		if got.status != 503 || got.reason() != "maintenance" || got.header.Get("Retry-After") != "60" || !strings.Contains(got.body, body) {
			t.Errorf("%s: %d %v %q", what, got.status, got.header, got.body)
		}
	}
	f.Set(r)
	is("the router's page", "<h1>Down for maintenance</h1>")
	is("its words", "This application is being worked on", accept("application/json"))
	r.MaintenancePage = repair
	f.Set(r)
	is("the app's page", repair)
	r.Release, r.Targets = "2", []router.Target{r.Targets[0], app(t, "web-2", func(http.ResponseWriter, *http.Request) { reached.Add(1) })}
	f.Set(r)
	is("after a switch", repair)
	r.Targets = nil
	f.Set(r)
	is("scaled to zero", repair)
	if n := reached.Load(); n != 0 {
		t.Errorf("%d requests have reached the app", n)
	}
	r.Serving = false
	f.Set(r)
	if got := f.get("/"); got.status != 404 || got.reason() != "no release" {
		t.Errorf("without a release: %d %q", got.status, got.reason())
	}
	r.Serving, r.Maintenance, r.Targets = true, false, []router.Target{app(t, "web-1", says("back"))}
	f.Set(r)
	if got := f.get("/"); got.body != "back" {
		t.Errorf("after it: %d %q", got.status, got.body)
	}
}

// TestMaintenanceFinishes lets a request that has reached the app come to its end.
func TestMaintenanceFinishes(t *testing.T) { onBothPaths(t, testMaintenanceFinishes) }

func testMaintenanceFinishes(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	begun, end := make(chan struct{}), make(chan struct{})
	r := route(app(t, "web-1", func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-end
		_, _ = io.WriteString(w, "whole")
	}))
	f.Set(r)
	got := make(chan string)
	go func() {
		a, err := send(http.DefaultClient, f.request(t.Context(), "GET", "/", nil))
		got <- fmt.Sprint(a.body, err)
	}()
	<-begun
	r.Maintenance = true
	f.Set(r)
	if a := f.get("/"); a.reason() != "maintenance" {
		t.Errorf("the next one: %d %q", a.status, a.body)
	}
	close(end)
	if a := <-got; a != "whole<nil>" {
		t.Errorf("the one before: %s", a)
	}
}

// bigPage is a page of about a megabyte that gzip does not make small.
func bigPage() string {
	var b strings.Builder
	for i := uint64(1); b.Len() < 1<<20; i++ {
		fmt.Fprintf(&b, "<p>%x\n", i*0x9e3779b97f4a7c15)
	}
	return b.String()
}

// TestBigPage comes whole, packed or not, over each version of HTTP, several times on one connection, and for HEAD without its body; the access log
// and the metrics have what was sent.
func TestBigPage(t *testing.T) {
	page := bigPage()
	t.Run("fast", func(t *testing.T) { testBigPage(t, newVisitor(t, fast, nil, page), page) })
	t.Run("net-http", func(t *testing.T) { testBigPage(t, newVisitor(t, netHTTP, nil, page), page) })
	t.Run("fast, TLS", func(t *testing.T) { testBigPage(t, newVisitor(t, fast, []string{"http/1.1"}, page), page) })
	t.Run("HTTP/2", func(t *testing.T) { testBigPage(t, newVisitor(t, fast, []string{"h2"}, page), page) })
}

func testBigPage(t *testing.T, v *visitor, page string) {
	var want []string
	for _, method := range []string{"GET", "HEAD", "POST"} {
		for _, coding := range []string{"identity", "gzip"} {
			got := v.ask(method, coding)
			length, packed := got.header.Get("Content-Length"), got.header.Get("Content-Encoding") == "gzip"
			if packed != (coding == "gzip") || got.status != 503 || method != "HEAD" && length != strconv.Itoa(len(got.body)) {
				t.Errorf("%s %s: %d %v, %d bytes", method, coding, got.status, got.header, len(got.body))
			}
			if n, err := strconv.Atoi(length); err != nil || n < 100_000 || !packed && n != len(page) {
				t.Errorf("%s %s: Content-Length %q", method, coding, length)
			}
			want = append(want, fmt.Sprintf("%s 503 %d no web container", method, len(got.body)))
			if packed && method != "HEAD" {
				got.body = unpack(t, got.body)
			}
			if (got.body == page) != (method != "HEAD") {
				t.Errorf("%s %s: %d bytes", method, coding, len(got.body))
			}
		}
	}
	eventually(t, "a line in the access log for each", func() bool { return len(v.log.all()) == len(want) })
	if diff := cmp.Diff(want, v.log.all()); diff != "" {
		t.Error(diff)
	}
	if n := durations(t, v.router, "shop"); n != uint64(len(want)) { // noted before the line in the access log
		t.Errorf("%d requests in the metrics", n)
	}
}

// visitor asks an app without containers on one connection.
type visitor struct {
	t         *testing.T
	router    *router.Router
	log       *accessLines
	transport *http.Transport
	url       string
}

// newVisitor starts a router with page as the app's error page; protocols are those that the visitor offers over TLS, which is not used without.
func newVisitor(t *testing.T, on path, protocols []string, page string) *visitor {
	t.Helper()
	v := &visitor{t: t, log: newAccessLines(), url: "http://"}
	v.router = router.New(router.Config{AccessLog: v.log})
	rules := route()
	rules.ErrorPage = page
	v.router.Set(rules)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, done := router.NewServer(v.router), make(chan struct{})
	if on == netHTTP {
		router.ForceNetHTTP(server)
	}
	v.transport = &http.Transport{DisableCompression: true, MaxConnsPerHost: 1}
	serve := server.Serve
	if protocols != nil {
		v.url, v.transport.ForceAttemptHTTP2 = "https://", protocols[0] == "h2"
		v.transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true, NextProtos: protocols}
		secured := unknownTLS(t)
		serve = func(l net.Listener) error { return server.ServeTLS(l, secured) }
	}
	go func() {
		defer close(done)
		_ = serve(listener) // nil after Close
	}()
	t.Cleanup(func() {
		v.transport.CloseIdleConnections()
		_ = server.Close()
		<-done
		_ = v.router.Close()
	})
	v.url += listener.Addr().String()
	return v
}

func (v *visitor) ask(method, coding string) answer {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.url, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	req.Host = "shop.test"
	req.Header.Set("Accept-Encoding", coding)
	got, err := send(&http.Client{Transport: v.transport}, req)
	if err != nil {
		v.t.Fatal(err)
	}
	return got
}

// accessLines keeps what the access log says of each request: its method, and status, bytes and reason of the answer.
type accessLines struct {
	*router.JSONLog
	mu    sync.Mutex
	lines []string
}

func newAccessLines() *accessLines {
	l := &accessLines{}
	l.JSONLog = router.NewJSONLog(l)
	return l
}

func (l *accessLines) Write(lines []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range bytes.Lines(lines) {
		var e struct {
			Method, Err   string
			Status, Bytes int
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return 0, err
		}
		l.lines = append(l.lines, fmt.Sprintf("%s %d %d %s", e.Method, e.Status, e.Bytes, e.Err))
	}
	return len(lines), nil
}

func (l *accessLines) all() []string {
	l.Flush()
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// TestSlowReader reads nothing of a page. No container waits for it, and the request ends all the same.
func TestSlowReader(t *testing.T) { t.Parallel(); onBothPaths(t, testSlowReader) }

func testSlowReader(t *testing.T, on path) {
	for _, test := range []struct {
		idle time.Duration
		over int // requests that end before their client does
	}{{time.Hour, 0}, {100 * time.Millisecond, 1}} {
		log, begun := newAccessLines(), make(chan struct{})
		f := newFront(t, on, router.Config{Idle: test.idle, FirstByte: 3 * time.Second, AccessLog: log})
		r := route(app(t, "web-1", func(_ http.ResponseWriter, r *http.Request) {
			close(begun)
			<-r.Context().Done()
		}))
		r.ErrorPage = strings.Repeat(bigPage(), 16) // more than lies in sockets
		f.Set(r)
		conn, _ := f.dial()
		write(t, conn, "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
		select {
		case <-begun:
		case <-time.After(patience):
			t.Fatal("the app was not asked")
		}
		eventually(t, "the container is free", func() bool { return router.InFlight(f.Router, "shop") == 0 })
		if test.over == 0 && len(log.all()) != 0 {
			t.Error("the page was sent to nobody")
		}
		eventually(t, "the request is over", func() bool { return len(log.all()) == test.over })
	}
}
