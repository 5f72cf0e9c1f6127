package router_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"boathook/router"
)

// TestGzip packs texts for clients that take gzip, and nothing else.
func TestGzip(t *testing.T) { onBothPaths(t, testGzip) }

func testGzip(t *testing.T, on path) {
	text := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 5000)
	for _, test := range []struct {
		name    string
		accepts string
		method  string
		header  map[string]string // of the answer
		body    string
		stream  bool
		packed  bool
	}{
		{name: "text", accepts: "gzip", header: map[string]string{"Content-Type": "text/html; charset=utf-8"}, body: text, packed: true},
		{name: "small text", accepts: "gzip", header: map[string]string{"Content-Type": "text/html"}, body: "small"},
		{name: "JSON in chunks", accepts: "br, GZIP;q=0.5", header: map[string]string{"Content-Type": "application/problem+json"}, body: text,
			stream: true, packed: true},
		{name: "not accepted", accepts: "br, gzip;q=0.0", header: map[string]string{"Content-Type": "text/html"}, body: text},
		{name: "nothing accepted", header: map[string]string{"Content-Type": "text/html"}, body: text},
		{name: "picture", accepts: "gzip", header: map[string]string{"Content-Type": "image/png"}, body: text},
		{name: "events", accepts: "gzip", header: map[string]string{"Content-Type": "text/event-stream"}, body: text},
		{name: "packed by the app", accepts: "gzip", header: map[string]string{"Content-Type": "text/html", "Content-Encoding": "br"}, body: text},
		{name: "not to be changed", accepts: "gzip", header: map[string]string{"Content-Type": "text/html", "Cache-Control": "public, No-Transform"},
			body: text},
		{name: "HEAD", accepts: "gzip", method: "HEAD", header: map[string]string{"Content-Type": "text/html"}, body: text},
		{name: "tagged", accepts: "gzip", header: map[string]string{"Content-Type": "text/css", "Etag": `"x"`, "Accept-Ranges": "bytes"}, body: text,
			packed: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFront(t, on, router.Config{})
			f.Set(route(app(t, "web-1", func(w http.ResponseWriter, _ *http.Request) {
				for name, value := range test.header {
					w.Header().Set(name, value)
				}
				if !test.stream {
					w.Header().Set("Content-Length", strconv.Itoa(len(test.body)))
				}
				_, _ = io.WriteString(w, test.body)
			})))
			for range 2 * router.ManyPackers {
				got := f.do(f.request(t.Context(), test.method, "/", nil, func(r *http.Request) { r.Header.Set("Accept-Encoding", test.accepts) }))
				if packed := got.header.Get("Content-Encoding") == "gzip"; packed != test.packed {
					t.Fatalf("packed: %v", packed)
				}
				if test.packed {
					got.body = unpack(t, got.body)
					if got.header.Get("Vary") != "Accept-Encoding" || got.header.Get("Accept-Ranges") != "" || strings.HasPrefix(got.header.Get("Etag"), `"`) {
						t.Error(got.header)
					}
				}
				if got.body != test.body && test.method != "HEAD" {
					t.Fatalf("%d bytes of %d", len(got.body), len(test.body))
				}
			}
		})
	}
}

func unpack(t *testing.T, packed string) string {
	t.Helper()
	r, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
