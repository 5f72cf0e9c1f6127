package router_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"boathook/router"
)

// mirror answers with the headers that it received.
func mirror(w http.ResponseWriter, r *http.Request) { _ = json.NewEncoder(w).Encode(r.Header) }

func TestHeaders(t *testing.T) { onBothPaths(t, testHeaders) }

func testHeaders(t *testing.T, on path) {
	const uuid = `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`
	sent := http.Header{"X-Real-Ip": {"6.6.6.6"}, "X-Forwarded-For": {"6.6.6.6, 7.7.7.7"}, "X-Forwarded-Proto": {"https"},
		"X-Forwarded-Port": {"443"}, "X-Request-Id": {"mine"}, "X-Request-Start": {"t=1.000"}, "Connection": {"X-Secret"},
		"X-Secret": {"s"}, "Accept-Encoding": {"br"}, "User-Agent": {"test"}}
	for _, test := range []struct {
		name  string
		trust string // a network
		id    string
		want  map[string]string // a pattern each; "" for none
	}{
		{name: "outside", id: "mine", want: map[string]string{"X-Real-Ip": `^127\.0\.0\.1$`, "X-Forwarded-For": `^127\.0\.0\.1$`,
			"X-Forwarded-Proto": `^http$`, "X-Forwarded-Port": `^PORT$`, "X-Request-Id": `^mine$`,
			"X-Request-Start": `^t=\d{10}\.\d{3}$`, "X-Secret": "", "Accept-Encoding": "^br$", "User-Agent": "^test$"}},
		{name: "trusted", trust: "127.0.0.0/8", id: "mine", want: map[string]string{"X-Real-Ip": `^6\.6\.6\.6$`,
			"X-Forwarded-For": `^6\.6\.6\.6, 7\.7\.7\.7, 127\.0\.0\.1$`, "X-Forwarded-Proto": `^https$`, "X-Forwarded-Port": `^443$`}},
		{name: "another is trusted", trust: "192.0.2.0/24", id: "mine", want: map[string]string{"X-Real-Ip": `^127\.0\.0\.1$`,
			"X-Forwarded-For": `^127\.0\.0\.1$`, "X-Forwarded-Proto": `^http$`, "X-Forwarded-Port": `^PORT$`}},
		{name: "no id", want: map[string]string{"X-Request-Id": uuid}},
		{name: "long id", id: strings.Repeat("x", 129), want: map[string]string{"X-Request-Id": uuid}},
		{name: "strange id", id: "a b", want: map[string]string{"X-Request-Id": uuid}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var cfg router.Config
			if test.trust != "" {
				cfg.Forwarders = []netip.Prefix{netip.MustParsePrefix(test.trust)}
			}
			f := newFront(t, on, cfg)
			f.Set(route(app(t, "web-1", mirror)))
			_, port, _ := net.SplitHostPort(f.addr)
			answer := f.get("/", func(r *http.Request) { r.Header = sent.Clone(); r.Header.Set("X-Request-Id", test.id) })
			var got http.Header
			if err := json.Unmarshal([]byte(answer.body), &got); err != nil {
				t.Fatal(err)
			}
			for name, want := range test.want {
				want = strings.Replace(want, "PORT", port, 1)
				if ok, err := regexp.MatchString(want, got.Get(name)); err != nil || !ok || want == "" && got.Get(name) != "" {
					t.Errorf("%s: %q, want %q", name, got.Get(name), want)
				}
			}
		})
	}
}

// TestEvents reads each event before the next is sent.
func TestEvents(t *testing.T) { onBothPaths(t, testEvents) }

func testEvents(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	next := make(chan string)
	f.Set(route(app(t, "web-1", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for event := range next {
			_, _ = io.WriteString(w, event)
			_ = http.NewResponseController(w).Flush()
		}
	})))
	conn, r := f.dial()
	write(t, conn, "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
	next <- "data: 0\n"
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(res.Body)
	for _, event := range []string{"data: 1\n", "data: 2\n", ""} {
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		if event != "" {
			next <- event
		}
	}
	close(next)
}

// TestAbort ends the container's request when the client goes.
func TestAbort(t *testing.T) { onBothPaths(t, testAbort) }

func testAbort(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	arrived, ended := make(chan bool), make(chan bool)
	f.Set(route(app(t, "web-1", func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(ended)
	})))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	if _, err := send(http.DefaultClient, f.request(ctx, "GET", "/", nil)); err == nil {
		t.Error("the request was answered")
	}
	<-ended
	if got := router.Quarantined(f.Router, "shop"); got != nil {
		t.Errorf("%v blamed", got)
	}
}

// TestAbortWhileStreaming: a client that goes away while an answer pauses ends it at once, not at the end of the longest silence.
func TestAbortWhileStreaming(t *testing.T) { onBothPaths(t, testAbortWhileStreaming) }

func testAbortWhileStreaming(t *testing.T, on path) {
	f := newFront(t, on, router.Config{Idle: time.Hour})
	ended := make(chan bool)
	f.Set(route(app(t, "web-1", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(ended)
	})))
	res, err := http.DefaultClient.Do(f.request(t.Context(), "GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(res.Body, make([]byte, 9)); err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close() // hangs up, as the answer has not ended
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the container was not told")
	}
}

// TestQuarantine sends requests elsewhere while a container refuses, bodies included, and returns once it listens again.
func TestQuarantine(t *testing.T) { onBothPaths(t, testQuarantine) }

func testQuarantine(t *testing.T, on path) {
	var down atomic.Bool
	flaky, steady := app(t, "web-1", says("flaky")), app(t, "web-2", says("steady"))
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == flaky.Addr && down.Load() {
			return nil, io.ErrUnexpectedEOF
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	f := newFront(t, on, router.Config{Dial: dial, Probe: time.Millisecond})
	down.Store(true)
	f.Set(route(flaky, steady))
	for range 4 {
		if got := f.do(f.request(t.Context(), "POST", "/", strings.NewReader("body"))); got.body != "steady" {
			t.Errorf("%d %q", got.status, got.body)
		}
	}
	if diff := cmp.Diff([]string{"web-1"}, router.Quarantined(f.Router, "shop")); diff != "" {
		t.Error(diff)
	}
	down.Store(false)
	eventually(t, "the container is back", func() bool { return f.get("/").body == "flaky" })
}

// TestDeadConnection lets the container close a connection under the router: what may be asked twice is sent again, on a new one.
func TestDeadConnection(t *testing.T) { onBothPaths(t, testDeadConnection) }

func testDeadConnection(t *testing.T, on path) {
	f := newFront(t, on, router.Config{Probe: time.Hour})
	var conns, dropped atomic.Int64
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			r := bufio.NewReader(conn)
			if _, err := http.ReadRequest(r); err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				if _, err := http.ReadRequest(r); err == nil { // the second request on a connection is received, and dropped
					dropped.Add(1)
				}
			}
			_ = conn.Close()
		}
	}()
	f.Set(route(router.Target{Name: "web-1", Addr: listener.Addr().String()}))
	for i, method := range []string{"GET", "OPTIONS", "TRACE", "PUT", "DELETE"} {
		if got := f.do(f.request(t.Context(), method, "/", nil)); got.body != "ok" {
			t.Errorf("%s: %d %q", method, got.status, got.reason())
		}
		if got := conns.Load(); int(got) != i+1 {
			t.Errorf("%s: %d connections", method, got)
		}
	}
	for _, once := range onlyOnce {
		asked := func(req *http.Request) { req.Header.Set(once.key, "1") }
		var got answer
		for before := dropped.Load(); dropped.Load() == before && !t.Failed(); { // on a slow machine the idle connection may have become too old
			got = f.do(f.request(t.Context(), once.method, "/", strings.NewReader(once.body), asked))
		}
		if got.status != 502 {
			t.Errorf("%+v was sent again: %d", once, got.status)
		}
		if got := f.get("/"); got.body != "ok" {
			t.Errorf("%d %q", got.status, got.reason())
		}
	}
}

// onlyOnce are requests that are not repeated, whatever a client says in a field called key.
var onlyOnce = []struct{ method, body, key string }{
	{"POST", "", "X-A"}, {"POST", "", "Idempotency-Key"}, {"POST", "once", "X-A"}, {"POST", "once", "X-Idempotency-Key"},
	{"PATCH", "", "Idempotency-Key"}, {"PATCH", "once", "X-A"},
	{"PUT", "once", "X-A"}, {"PUT", "once", "Idempotency-Key"}, {"DELETE", "once", "X-A"}, {"DELETE", "once", "X-Idempotency-Key"},
}

// TestIdempotencyKey: what keeps a router from repeating a request for a client's word is no loss to the container.
func TestIdempotencyKey(t *testing.T) { onBothPaths(t, testIdempotencyKey) }

func testIdempotencyKey(t *testing.T, on path) {
	f := newFront(t, on, router.Config{})
	f.Set(route(app(t, "web-1", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, r.Header["Idempotency-Key"], r.Header["X-Idempotency-Key"])
	})))
	given := func(req *http.Request) { req.Header["Idempotency-Key"] = []string{"a", "b"} }
	for _, method := range []string{"GET", "PUT", "POST"} {
		if got := f.do(f.request(t.Context(), method, "/", nil)); got.body != "[] []" {
			t.Errorf("%s without one: %q", method, got.body)
		}
		if got := f.do(f.request(t.Context(), method, "/", nil, given)); got.body != "[a b] []" {
			t.Errorf("%s: %q", method, got.body)
		}
	}
}

func FuzzHostKey(f *testing.F) {
	for _, host := range []string{"", "a.test", "A.Test.:80", "[::1]:80", "[::1]", "::1", ":80", "a:b:c", ".", "[", "]:1"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		key := router.HostKey(host)
		if len(key) > 3*len(host) {
			t.Errorf("%q grew to %q", host, key)
		}
		ascii := !strings.ContainsFunc(host, func(c rune) bool { return c >= 0x80 })
		if ascii && !strings.ContainsAny(host, ":[].") && router.HostKey(strings.ToLower(host)+".:80") != key {
			t.Errorf("%q and %q with a port differ", host, key)
		}
	})
}

// TestLostConnection asks another container where one closes the connection before it answers: once, and only what may be asked twice.
func TestLostConnection(t *testing.T) { onBothPaths(t, testLostConnection) }

func testLostConnection(t *testing.T, on path) {
	f := newFront(t, on, router.Config{Probe: time.Hour})
	var lost atomic.Int64
	drops := func(name string) router.Target {
		target := script(t, func(_ net.Conn, r *bufio.Reader) {
			if _, err := http.ReadRequest(r); err == nil {
				lost.Add(1)
			}
		})
		target.Name = name
		return target
	}
	replace := func(targets ...router.Target) {
		f.Remove("shop")
		f.Set(route(targets...))
		lost.Store(0)
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"} {
		replace(drops("web-1"), app(t, "web-2", says("steady")))
		for range 2 {
			if got := f.do(f.request(t.Context(), method, "/", nil)); got.status != 200 {
				t.Errorf("%s: %d %q", method, got.status, got.reason())
			}
		}
		if lost.Load() == 0 {
			t.Errorf("%s was never dropped", method)
		}
		replace(drops("web-1"), drops("web-2"), drops("web-3"))
		if got := f.do(f.request(t.Context(), method, "/", nil)); got.reason() != "connection dropped" || lost.Load() != 2 {
			t.Errorf("%s: %d %q after %d containers", method, got.status, got.reason(), lost.Load())
		}
	}
	for _, once := range onlyOnce {
		replace(drops("web-1"), drops("web-2"))
		asked := func(req *http.Request) { req.Header.Set(once.key, "1") }
		got := f.do(f.request(t.Context(), once.method, "/", strings.NewReader(once.body), asked))
		if got.status != 502 || got.reason() != "connection dropped" || lost.Load() != 1 {
			t.Errorf("%+v: %d %q after %d containers", once, got.status, got.reason(), lost.Load())
		}
	}
}
