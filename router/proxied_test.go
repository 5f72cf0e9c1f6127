package router_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"boathook/router"
)

// TestProxyProtocol takes the client's address and the port from the header, and no connection without one.
func TestProxyProtocol(t *testing.T) { onBothPaths(t, testProxyProtocol) }

func testProxyProtocol(t *testing.T, on path) {
	const signature = "\r\n\r\n\x00\r\nQUIT\n"
	f := newFront(t, on, router.Config{ProxyProtocol: true})
	f.Set(route(app(t, "web-1", mirror)))
	for _, test := range []struct {
		name, header, address, port string
	}{
		{"version 1", "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n", "192.0.2.1", "443"},
		{"version 1, IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 56324 8443\r\n", "2001:db8::1", "8443"},
		{"version 2, unspecified", "\r\n\r\n\x00\r\nQUIT\n\x21\x00\x00\x03\x04\x00\x00", "127.0.0.1", ""},
		{"version 1, unknown", "PROXY UNKNOWN ffff\r\n", "127.0.0.1", ""},
		{"version 2", signature + "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\xdc\x04\x01\xbb", "192.0.2.1", "443"},
		{"version 2 with more", signature + "\x21\x11\x00\x10\xc0\x00\x02\x01\xc0\x00\x02\x02\xdc\x04\x01\xbb\x04\x00\x01x", "192.0.2.1", "443"},
		{"version 2, local", signature + "\x20\x00\x00\x00", "127.0.0.1", ""},
		{"none", "", "", ""},
		{"no address", "PROXY TCP4 shop.test 192.0.2.2 56324 443\r\n", "", ""},
		{"a zone", "PROXY TCP6 fe80::1%\nX-Real-IP:6.6.6.6 fe80::2 1 2\r\n", "", ""},
		{"another family", "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", "", ""},
		{"a port too high", "PROXY TCP4 192.0.2.1 192.0.2.2 56324 65536\r\n", "", ""},
		{"no end", "PROXY TCP4 192.0.2.1                                                                                                   ", "", ""},
		{"version 3", signature + "\x31\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\xdc\x04\x01\xbb", "", ""},
		{"too short", signature + "\x21\x11\x00\x04\xc0\x00\x02\x01", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn, r := f.dial()
			write(t, conn, "%s", test.header+"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
			res, err := http.ReadResponse(r, nil)
			if test.address == "" {
				if err == nil {
					t.Errorf("%d", res.StatusCode)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			var got http.Header
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatal(err)
			}
			if err != nil || got.Get("X-Real-Ip") != test.address || test.port != "" && got.Get("X-Forwarded-Port") != test.port {
				t.Errorf("%s, port %s, %v", got.Get("X-Real-Ip"), got.Get("X-Forwarded-Port"), err)
			}
		})
	}
}

// TestProxyProtocolBeforeTLS: the header comes before the handshake.
func TestProxyProtocolBeforeTLS(t *testing.T) {
	onBothPaths(t, func(t *testing.T, on path) {
		f := newSecureFront(t, on, router.Config{ProxyProtocol: true})
		f.Set(route(app(t, "web-1", mirror)))
		plain, _ := f.dial()
		write(t, plain, "PROXY TCP4 192.0.2.1 192.0.2.2 56324 8443\r\n")
		conn := tls.Client(plain, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		write(t, conn, "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		var got http.Header
		if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		if got.Get("X-Real-Ip") != "192.0.2.1" || got.Get("X-Forwarded-Port") != "8443" || got.Get("X-Forwarded-Proto") != "https" {
			t.Errorf("the app received %v", got)
		}
		bare, _ := f.dial()
		if err := tls.Client(bare, &tls.Config{InsecureSkipVerify: true}).Handshake(); err == nil {
			t.Error("a handshake without the header")
		}
	})
}
