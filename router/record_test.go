package router_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"boathook/router"
)

// TestAccessLog tells the same of a request on both paths.
func TestAccessLog(t *testing.T) { onBothPaths(t, testAccessLog) }

func testAccessLog(t *testing.T, on path) {
	lines := make(chan []byte, 2)
	f := newFront(t, on, router.Config{AccessLog: router.NewJSONLog(writer(func(line []byte) { lines <- bytes.Clone(line) }))})
	f.Set(route(app(t, "web-1", says("shop"))))
	line := func() (got map[string]any) {
		if err := json.Unmarshal(<-lines, &got); err != nil {
			t.Fatal(err)
		}
		if _, err := time.Parse(time.RFC3339Nano, got["time"].(string)); err != nil || got["duration"].(float64) <= 0 {
			t.Errorf("%v, %v", got, err)
		}
		delete(got, "time")
		delete(got, "duration")
		return got
	}
	f.get("/a%20b?c=d", func(r *http.Request) { r.Header.Set("X-Request-Id", "i1") })
	want := map[string]any{
		"remote": "127.0.0.1", "host": "shop.test", "method": "GET", "path": "/a b", "status": 200.0, "bytes": 4.0, "request": "i1",
		"app": "shop", "release": "1", "container": "web-1",
	}
	if diff := cmp.Diff(want, line()); diff != "" {
		t.Error(diff)
	}
	f.get("/", func(r *http.Request) { r.Host = "else.test" })
	if got := line(); got["status"] != 404.0 || got["err"] != "unknown host" || got["app"] != nil {
		t.Error(got)
	}
}

type writer func(line []byte)

func (w writer) Write(line []byte) (int, error) { w(line); return len(line), nil }

// FuzzRecord compares lines with what encoding/json reads in them.
func FuzzRecord(f *testing.F) {
	f.Add("/plain", "shop.test", 200)
	f.Add("/\"quoted\\ \u2028 <&> \x00\x7f\xff é", "", -1)
	f.Fuzz(func(t *testing.T, path, host string, status int) {
		r := router.Record{At: time.Unix(1_700_000_000, 42), Duration: time.Second, Path: path, Host: host, App: host, Refusal: path, Status: status}
		line := r.AppendJSON([]byte("before"))[len("before"):]
		var got struct {
			Time                 time.Time
			Path, Host, App, Err string
			Status               int
			Duration             time.Duration
		}
		if err := json.Unmarshal(line, &got); err != nil || bytes.Count(line, []byte("\n")) != 1 || !bytes.HasSuffix(line, []byte("}\n")) {
			t.Fatalf("%q: %v", line, err)
		}
		if utf8.ValidString(path) && got.Path != path || utf8.ValidString(host) && got.Host != host || got.Host != got.App || got.Path != got.Err ||
			got.Status != status || got.Duration != time.Second || !got.Time.Equal(r.At) {
			t.Errorf("%+v of %q", got, line)
		}
	})
}

// BenchmarkAccessLog compares a line with one that slog writes of the same record.
func BenchmarkAccessLog(b *testing.B) {
	r := router.Record{
		At: time.Now(), Duration: time.Millisecond, Remote: "127.0.0.1", Host: "shop.example.com", Method: "GET", Path: "/index.html", Status: 200, Bytes: 1234,
		ID: "6ba7b810-9dad-11d1-80b4-00c04fd430c8", App: "shop", Release: "12", Container: "web-1",
	}
	file := func(b *testing.B) io.Writer {
		f, err := os.CreateTemp(b.TempDir(), "access")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = f.Close() })
		return f
	}
	b.Run("own", func(b *testing.B) {
		log := router.NewJSONLog(file(b))
		b.ReportAllocs()
		for b.Loop() {
			log.Log(&r)
		}
	})
	b.Run("slog", func(b *testing.B) {
		log := slog.New(slog.NewJSONHandler(file(b), nil))
		b.ReportAllocs()
		for b.Loop() {
			log.LogAttrs(b.Context(), slog.LevelInfo, "request", slog.String("remote", r.Remote), slog.String("host", r.Host), slog.String("method", r.Method),
				slog.String("path", r.Path), slog.Int("status", r.Status), slog.Int64("bytes", r.Bytes), slog.Duration("duration", r.Duration),
				slog.String("request", r.ID), slog.String("app", r.App), slog.String("release", r.Release), slog.String("container", r.Container))
		}
	})
}
