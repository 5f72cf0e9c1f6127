package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAccessLog has one of two requests logged, and those that no container could answer.
func TestAccessLog(t *testing.T) {
	w := newWalk(t, "local", buildFixture(t))
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
