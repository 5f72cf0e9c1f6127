package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"boathook/cmd/boathook/scenes"
)

// TestMetrics asks for the figures of a boathook that serves.
func TestMetrics(t *testing.T) {
	w := newWalk(t, "local", scenes.Fixture(t))
	w.args = append(w.args, "-metrics-addr", "127.0.0.1:0")
	b := w.serve()
	defer b.stop()
	if code, body, err := b.ask(); err != nil || code != http.StatusOK {
		t.Fatalf("the app: %d %q, %v", code, body, err)
	}
	resp, err := http.Get("http://" + b.metricsListener.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`boathook_router_requests_total{app="my-app",code="200"} `, `boathook_router_containers{app="my-app",state="serving"} 2`, "process_resident_memory_bytes ",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}
