package router_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"boathook/router"
)

// TestProxyHeaders sends what is no PROXY header to a router that expects one: the connection is closed without a word, and the app sees nothing.
func TestProxyHeaders(t *testing.T) {
	const signature = "\r\n\r\n\x00\r\nQUIT\n"
	for name, header := range map[string]string{
		"nothing":               "",
		"a second one":          "PROXY TCP4 6.6.6.6 7.7.7.7 1 2\r\nPROXY TCP4 6.6.6.6 7.7.7.7 1 2\r\n",
		"a zone":                "PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n",
		"a zone with a bare LF": "PROXY TCP6 fe80::1%\nX-Real-IP:6.6.6.6 fe80::2 1 2\r\n",
		"a zone with a bare CR": "PROXY TCP6 fe80::1%\rX-Real-IP:6.6.6.6 fe80::2 1 2\r\n",
		"the other family":      "PROXY TCP4 fe80::1 fe80::2 1 2\r\n",
		"a bare LF":             "PROXY TCP4 6.6.6.6 7.7.7.7 1 2\n",
		"a port too many":       "PROXY TCP4 6.6.6.6 7.7.7.7 1 65536\r\n",
		"a signed port":         "PROXY TCP4 6.6.6.6 7.7.7.7 +1 2\r\n",
		"two spaces":            "PROXY TCP4  6.6.6.6 7.7.7.7 1 2\r\n",
		"small letters":         "proxy TCP4 6.6.6.6 7.7.7.7 1 2\r\n",
		"no end":                "PROXY UNKNOWN " + strings.Repeat("x", 200),
		"version 3":             signature + "\x31\x11\x00\x0c\x06\x06\x06\x06\x07\x07\x07\x07\x00\x01\x00\x02",
		"an unknown family":     signature + "\x21\x31\x00\x0c\x06\x06\x06\x06\x07\x07\x07\x07\x00\x01\x00\x02",
		"an unknown command":    signature + "\x22\x11\x00\x0c\x06\x06\x06\x06\x07\x07\x07\x07\x00\x01\x00\x02",
		"too short":             signature + "\x21\x11\x00\x0b\x06\x06\x06\x06\x07\x07\x07\x07\x00\x01\x00",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newTape(t, manner{})
			dial, shut := newGate(t, router.Config{ProxyProtocol: true}, a, nil)
			conn := dial()
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			sent := header + get() + smuggled
			_ = dribble(conn, sent, len(sent), true) // the other side may be gone before the end
			back, _ := io.ReadAll(conn)
			shut()
			a.await(t)
			// A second header is no request, and refused as such.
			if refusal := name == "a second one" && strings.HasPrefix(string(back), "HTTP/1.1 400 "); len(back) > 0 && !refusal {
				t.Errorf("%q came back", back)
			}
			if requests, faults := a.rewind(); len(requests)+len(faults)+a.cut > 0 {
				t.Errorf("the app got %v, %q and %d halves", requests, faults, a.cut)
			}
		})
	}
}
