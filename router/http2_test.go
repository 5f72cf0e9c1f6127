package router_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"

	"boathook/router"
)

// onBothProtocols runs a test over HTTP/1.1 and over HTTP/2 as clients speak it, where onBothPaths has HTTP/1.1 carried by what carries HTTP/2.
func onBothProtocols(t *testing.T, test func(t *testing.T, c *customer)) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			test(t, newCustomer(t, p))
		})
	}
}

// customer speaks with a router by one protocol.
type customer struct {
	t        *testing.T
	protocol protocol
	client   *http.Client
	scheme   string
	addr     string
}

func newCustomer(t *testing.T, p protocol) *customer {
	c := &customer{t: t, protocol: p}
	c.client, c.scheme = p.client(t)
	return c
}

// open starts the router in front of an app.
func (c *customer) open(cfg router.Config, handler http.HandlerFunc) *router.Router {
	c.t.Helper()
	r, addr := c.protocol.stage(c.t, cfg)
	r.Set(route(app(c.t, "web-1", handler)))
	c.addr = addr
	return r
}

// ask sends a request; the answer's body is the caller's to read.
func (c *customer) ask(method string, body io.Reader, edit ...func(*http.Request)) (*http.Response, error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	c.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, c.scheme+c.addr+"/", body)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Host = "shop.test"
	for _, change := range edit {
		change(req)
	}
	return c.client.Do(req)
}

// TestPieces reads the first half of an answer, whose length is known, before the app sends the second.
func TestPieces(t *testing.T) { onBothProtocols(t, testPieces) }

func testPieces(t *testing.T, c *customer) {
	next := make(chan bool)
	proceed := sync.OnceFunc(func() { close(next) })
	c.open(router.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "8")
		for _, half := range []string{"half", "rest"} {
			_, _ = io.WriteString(w, half)
			_ = http.NewResponseController(w).Flush()
			<-next
		}
	})
	defer proceed()
	res, err := c.ask("GET", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	half := make([]byte, 4)
	if _, err := io.ReadFull(res.Body, half); err != nil || string(half) != "half" || res.ContentLength != 8 {
		t.Fatalf("%q of %d, %v", half, res.ContentLength, err)
	}
	proceed()
	if rest, err := io.ReadAll(res.Body); err != nil || string(rest) != "rest" {
		t.Errorf("%q, %v", rest, err)
	}
}

// TestRefusedAmongOthers refuses requests on a connection that carries another one: that is answered to its end, and the connection carries more.
func TestRefusedAmongOthers(t *testing.T) {
	c := newCustomer(t, protocols[1])
	next := make(chan bool)
	c.open(router.Config{MaxBody: 10}, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PUT" {
			_ = http.NewResponseController(w).Flush()
			<-next
		}
		_, _ = io.WriteString(w, "whole")
	})
	defer close(next)
	var conns []bool // whether each request was sent on a connection that had been there
	trace := func(r *http.Request) {
		*r = *r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) { conns = append(conns, got.Reused) }}))
	}
	other, err := c.ask("PUT", nil, trace)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Body.Close()
	for _, row := range []struct {
		status int
		body   string
		edit   func(*http.Request)
	}{
		{413, "0123456789+", func(*http.Request) {}},
		{413, "0123456789+", func(r *http.Request) { r.ContentLength = -1 }},
		{431, "", func(r *http.Request) { r.Header.Set("X-A", strings.Repeat("x", 9<<10)) }},
		{400, "", func(r *http.Request) { r.Header.Set("Content_Length", "1") }},
		{200, "", func(*http.Request) {}},
	} {
		res, err := c.ask("POST", strings.NewReader(row.body), row.edit, trace)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != row.status {
			t.Errorf("%d, %v, want %d", res.StatusCode, err, row.status)
		}
		_ = res.Body.Close()
	}
	next <- true
	if body, err := io.ReadAll(other.Body); err != nil || string(body) != "whole" {
		t.Errorf("the other: %q, %v", body, err)
	}
	if diff := cmp.Diff([]bool{false, true, true, true, true, true}, conns); diff != "" {
		t.Errorf("connections that had been there (-want +got):\n%s", diff)
	}
}

// TestGoAway shuts down while clients of HTTP/2 have a connection without a request, before their first and after it: each is told with GOAWAY before
// the connection ends, so that what it has just sent may be sent again.
func TestGoAway(t *testing.T) {
	r := router.New(router.Config{})
	defer r.Close()
	r.Set(route(app(t, "web-1", says("ok"))))
	listener := listenLocal(t)
	server, served := router.NewServer(r), make(chan error, 1)
	secured := unknownTLS(t)
	go func() { served <- server.ServeTLS(listener, secured) }()
	var framers []*http2.Framer
	for _, asks := range []bool{false, true} {
		conn, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		write(t, conn, "%s", http2.ClientPreface)
		framer := http2.NewFramer(conn, conn)
		_ = framer.WriteSettings()
		if asks {
			_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: stream{}.encode(), EndHeaders: true, EndStream: true})
		}
		awaitFrame(t, framer, func(f http2.Frame) bool { // its settings were taken, or its request was answered
			_, isSettings := f.(*http2.SettingsFrame)
			return isSettings && !asks && f.Header().Flags.Has(http2.FlagSettingsAck) || f.Header().StreamID == 1 && f.Header().Flags.Has(http2.FlagDataEndStream)
		})
		framers = append(framers, framer)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Shutdown(t.Context()) }()
	for _, framer := range framers {
		awaitFrame(t, framer, func(f http2.Frame) bool {
			away, ok := f.(*http2.GoAwayFrame)
			return ok && away.ErrCode == http2.ErrCodeNo
		})
	}
	for _, end := range []chan error{ended, served} {
		if err := <-end; err != nil {
			t.Error(err)
		}
	}
}

// awaitFrame reads up to the frame that is wanted.
func awaitFrame(t *testing.T, from *http2.Framer, wanted func(http2.Frame) bool) {
	t.Helper()
	for {
		frame, err := from.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if wanted(frame) {
			return
		}
	}
}
