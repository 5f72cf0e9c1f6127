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
	type line struct {
		Path, App string
		Status    int
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got []line
	for decoder := json.NewDecoder(bytes.NewReader(text)); decoder.More(); {
		var l line
		if err := decoder.Decode(&l); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		got = append(got, l)
	}
	want := []line{{"/first", "", 404}, {"/third", "", 404}, {"/", "my-app", 503}, {"/", "my-app", 503}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\n%s", diff, text)
	}
}
