package router_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"boathook/router"
)

// TestRulesOverTLS: what an app's rules do with requests that come by HTTPS, in both protocols.
func TestRulesOverTLS(t *testing.T) {
	r := router.New(router.Config{TLS: &router.TLS{Dir: t.TempDir(), Port: 443}})
	to := route(app(t, "web-1", says("one")), app(t, "web-2", says("two")))
	to.Hosts, to.Sticky, to.ForceHTTPS, to.Canonical = []string{"shop.test", "www.shop.test"}, true, true, "shop.test"
	to.Certificates = []router.Certificate{own(t, "shop.test"), own(t, "www.shop.test")}
	r.Set(to)
	l, server, done := listenLocal(t), router.NewServer(r), make(chan error)
	go func() { done <- server.ServeTLS(l, r.TLSConfig()) }()
	for _, http2 := range []bool{false, true} {
		transport := &http.Transport{
			ForceAttemptHTTP2: http2, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
			},
		}
		ask := func(method, url string, cookies ...*http.Cookie) (answer, *http.Response) {
			req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range cookies {
				req.AddCookie(c)
			}
			res, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || (res.ProtoMajor == 2) != http2 {
				t.Error(res.Proto, err)
			}
			return answer{res.StatusCode, res.Header, string(body)}, res
		}
		first, res := ask("GET", "https://shop.test/")
		cookies := res.Cookies()
		if first.status != 200 || len(cookies) != 1 || !cookies[0].Secure {
			t.Errorf("sticky: %d, %v", first.status, cookies)
		}
		for range 3 {
			if got, _ := ask("GET", "https://shop.test/", cookies...); got.body != first.body {
				t.Errorf("sticky: %q after %q", got.body, first.body)
			}
		}
		for method, status := range map[string]int{"GET": 301, "POST": 308} {
			if got, _ := ask(method, "https://www.shop.test:8443/a?b"); got.status != status || got.header.Get("Location") != "https://shop.test:8443/a?b" {
				t.Errorf("%s canonical: %d %s", method, got.status, got.header.Get("Location"))
			}
		}
		if got, _ := ask("GET", "https://shop.test/.well-known/acme-challenge/unknown", cookies...); got.body != first.body {
			t.Errorf("a challenge that is none of ours: %d %q", got.status, got.body)
		}
		transport.CloseIdleConnections()
	}
	for _, old := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, ServerName: "shop.test", MinVersion: old, MaxVersion: old})
		if err == nil {
			_ = conn.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("%s: %v", tls.VersionName(old), err)
		}
	}
	_ = server.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	_ = r.Close()
}
