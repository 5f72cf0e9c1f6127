package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"boathook/cmd/boathook/scenes"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/natefinch/lumberjack.v2"
)

// TestProxies has the settings for load balancers and trusted proxies tell the router who asks, and by what.
func TestProxies(t *testing.T) {
	w := newWalk(t, "local", scenes.Fixture(t))
	file := filepath.Join(t.TempDir(), "access.log")
	w.args = append(w.args, "-access-log", file, "-proxy-protocol", "-trust-forwarded", "203.0.113.0/24")
	b := w.serve()
	b.manage("", "force-https", "my-app", "--enable")
	const https = "X-Forwarded-Proto: https\r\nX-Forwarded-For: 198.51.100.9\r\n"
	for _, row := range []struct {
		from, forwarded string
		status          int
	}{{"203.0.113.7", "", http.StatusMovedPermanently}, {"203.0.113.7", https, http.StatusOK}, {"192.0.2.9", https, http.StatusMovedPermanently}} {
		conn, err := net.Dial("tcp", b.httpListener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "PROXY TCP4 %s 192.0.2.1 4711 80\r\nGET / HTTP/1.1\r\nHost: my-app.example.com\r\nConnection: close\r\n%s\r\n", row.from, row.forwarded)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != row.status {
			t.Errorf("from %s with %q: %v, %v", row.from, row.forwarded, res, err)
		}
		conn.Close()
	}
	b.stop()
	text, err := os.ReadFile(file)
	if err != nil || bytes.Count(text, []byte(`"remote":"203.0.113.7"`)) != 2 {
		t.Errorf("%s, %v", text, err)
	}
}

// TestAccessLog has one of two requests logged, and those that no container could answer.
func TestAccessLog(t *testing.T) {
	w := newWalk(t, "local", scenes.Fixture(t))
	file := filepath.Join(t.TempDir(), "access.log")
	w.args = append(w.args, "-access-log", file, "-access-log-sample", "2")
	b := w.serve()
	for _, path := range []string{"/first", "/second", "/third"} { // of no app

		resp, err := http.Get("http://" + b.httpListener.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	if _, _, err := b.ask(); err != nil {
		t.Error(err)
	}
	b.manage("", "scale", "my-app", "web:0")
	for range 2 {
		if code, _, err := b.ask(); code != http.StatusServiceUnavailable || err != nil {
			t.Errorf("without a container: %d, %v", code, err)
		}
	}
	b.stop()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := map[int]int{} // lines, by status; their order is that in which requests ended
	for decoder := json.NewDecoder(bytes.NewReader(text)); decoder.More(); {
		var line struct {
			Path   string
			Status int
		}
		if err := decoder.Decode(&line); err != nil || line.Path == "" {
			t.Fatalf("%v in\n%s", err, text)
		}
		got[line.Status]++
	}
	if diff := cmp.Diff(map[int]int{404: 2, 503: 2}, got); diff != "" {
		t.Errorf("%s\n%s", diff, text)
	}
}

// TestAccessLogFails says once that lines are lost, and once that they are not any more.
func TestAccessLogFails(t *testing.T) {
	dir, said := filepath.Join(t.TempDir(), "logs"), &bytes.Buffer{}
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // no directory
		t.Fatal(err)
	}
	file := &accessFile{Logger: lumberjack.Logger{Filename: filepath.Join(dir, "access.log")}, log: slog.New(slog.NewTextHandler(said, nil))}
	defer file.Close()
	for range 2 {
		if _, err := file.Write([]byte("lost\n")); err == nil {
			t.Error("a line went nowhere")
		}
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := file.Write([]byte("kept\n")); err != nil {
			t.Error(err)
		}
	}
	if text, err := os.ReadFile(file.Filename); err != nil || string(text) != "kept\nkept\n" {
		t.Errorf("%q, %v", text, err)
	}
	if lost, again := strings.Count(said.String(), "loses lines"), strings.Count(said.String(), "takes lines again"); lost != 1 || again != 1 {
		t.Errorf("said %d and %d times:\n%s", lost, again, said)
	}
}

// TestSharedAccessLog has two boathooks write to a file that the first one made, as when one replaces the other.
func TestSharedAccessLog(t *testing.T) {
	name := filepath.Join(t.TempDir(), "access.log")
	write := func(f *accessFile, line string) {
		t.Helper()
		if _, err := f.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	first, second := &accessFile{Logger: lumberjack.Logger{Filename: name}}, &accessFile{Logger: lumberjack.Logger{Filename: name}}
	defer first.Close()
	defer second.Close()
	write(first, "first\n")
	if err := (&front{accessFile: first, metrics: &http.Server{}}).shutWeb(); err != nil {
		t.Fatal(err)
	}
	write(second, "second\n")
	write(first, "under way\n")
	write(second, "third\n")
	if text, err := os.ReadFile(name); err != nil || string(text) != "first\nsecond\nunder way\nthird\n" {
		t.Errorf("%q, %v", text, err)
	}
}
