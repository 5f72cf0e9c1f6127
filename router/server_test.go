package router_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"boathook/router"
)

// certificate is for shop.test, signed by itself.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"shop.test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestTLS has the protocol of each connection chosen by the client: HTTP/2, HTTP/1.1, or none named.
func TestTLS(t *testing.T) {
	r := router.New(router.Config{})
	r.Set(route(app(t, "web-1", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s %s", r.Proto, r.Header.Get("X-Forwarded-Proto"), body)
	})))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, done := router.NewServer(r), make(chan error)
	go func() {
		done <- server.ServeTLS(listener, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	}()
	for _, test := range []struct {
		protocols []string
		want      string
	}{{[]string{"h2", "http/1.1"}, "HTTP/2.0"}, {[]string{"http/1.1"}, "HTTP/1.1"}, {nil, "HTTP/1.1"}} {
		transport := &http.Transport{
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, ServerName: "shop.test", NextProtos: test.protocols},
			ForceAttemptHTTP2: len(test.protocols) > 1,
		}
		for _, body := range []string{"", "small", strings.Repeat("large ", 50_000)} {
			req, err := http.NewRequestWithContext(t.Context(), "POST", "https://"+listener.Addr().String(), strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Host = "shop.test"
			res, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || res.Proto != test.want || string(got) != "HTTP/1.1 https "+body {
				t.Errorf("%v: %s, %.60q, %v", test.protocols, res.Proto, got, err)
			}
		}
		transport.CloseIdleConnections()
	}
	if err := server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	_ = r.Close()
}

// TestShutdown lets a request finish, closes connections that carry none, and takes no more.
func TestShutdown(t *testing.T) {
	r := router.New(router.Config{})
	arrived, proceed := make(chan bool), make(chan bool)
	r.Set(route(app(t, "web-1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			arrived <- true
			<-proceed
		}
		_, _ = io.WriteString(w, "done")
	})))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, served := router.NewServer(r), make(chan error)
	go func() { served <- server.Serve(listener) }()
	f := &front{r, t, listener.Addr().String()}
	resting, restingReader := f.dial()
	write(t, resting, "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
	if _, err := http.ReadResponse(restingReader, nil); err != nil {
		t.Fatal(err)
	}
	answered := make(chan outcome)
	go func() {
		got, err := send(http.DefaultClient, f.request(t.Context(), "GET", "/slow", nil))
		answered <- outcome{got, err}
	}()
	<-arrived
	ended := make(chan error)
	go func() { ended <- server.Shutdown(t.Context()) }()
	if err := <-served; err != nil {
		t.Error(err)
	}
	_, _ = restingReader.Discard(restingReader.Buffered())
	if _, err := restingReader.ReadByte(); err != io.EOF {
		t.Errorf("a connection without a request: %v", err)
	}
	close(proceed)
	if got := <-answered; got.err != nil || got.body != "done" {
		t.Errorf("the request under way: %q, %v", got.body, got.err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", f.addr); err == nil {
		t.Error("the port is still open")
	}
	_ = r.Close()
}

// TestShutdownCut cuts off what does not finish in time.
func TestShutdownCut(t *testing.T) {
	r := router.New(router.Config{})
	r.Set(route(silent(t)))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, served := router.NewServer(r), make(chan error)
	go func() { served <- server.Serve(listener) }()
	f := &front{r, t, listener.Addr().String()}
	conn, reader := f.dial()
	write(t, conn, "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
	eventually(t, "the request is in flight", func() bool { return router.InFlight(r, "shop") == 1 })
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := server.Shutdown(ended); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if got, err := reader.ReadByte(); err == nil {
		t.Errorf("%q was sent", got)
	}
	if err := r.Remove("shop").Wait(t.Context()); err != nil {
		t.Error(err)
	}
	_ = r.Close()
}

// TestClock closes connections whose clients do not get on.
func TestClock(t *testing.T) { t.Parallel(); onBothPaths(t, testClock) }

func testClock(t *testing.T, on path) {
	f := newFront(t, on, router.Config{Header: 3 * time.Second, KeepAlive: 3 * time.Second})
	f.Set(route(app(t, "web-1", says("shop"))))
	starts := []string{"", "G", "GET / HTTP/1.1\r\nHost: sh", "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n"}
	var readers []io.Reader
	for _, sent := range starts {
		conn, r := f.dial()
		write(t, conn, "%s", sent)
		readers = append(readers, r)
	}
	for i, sent := range starts {
		got, err := io.ReadAll(readers[i])
		if err != nil {
			t.Errorf("after %q: %v", sent, err)
		}
		if whole := strings.HasSuffix(sent, "\r\n\r\n"); whole != strings.HasPrefix(string(got), "HTTP/1.1 200") {
			t.Errorf("after %q: %q", sent, got)
		}
	}
}

// TestIdleMemory keeps a thousand connections: half of them do nothing, half have begun a request.
func TestIdleMemory(t *testing.T) {
	const conns, limit = 1000, 48 << 20
	f := newFront(t, fast, router.Config{})
	f.Set(route(app(t, "web-1", says("shop"))))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range conns {
		conn, r := f.dial()
		write(t, conn, "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
		if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != 200 {
			t.Fatal(res, err)
		}
		if i%2 == 0 {
			write(t, conn, "GET / HTTP/1.1\r\n")
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	used := int64(after.HeapAlloc+after.StackInuse) - int64(before.HeapAlloc+before.StackInuse)
	t.Logf("%d kB for %d connections, the clients' half included", used>>10, conns)
	if used > limit {
		t.Errorf("%d connections hold %d bytes", conns, used)
	}
}
