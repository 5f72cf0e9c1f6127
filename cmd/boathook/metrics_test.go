package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

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
	// A request is counted just after it was answered.
	for _, want := range []string{
		`boathook_router_requests_total{app="my-app",code="200"} `, `boathook_router_containers{app="my-app",state="serving"} 2`, "process_resident_memory_bytes ",
	} {
		for end := time.Now().Add(patience); !strings.Contains(metrics(t, b), want); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("no %s in\n%s", want, metrics(t, b))
			}
		}
	}
}

// metrics is what the metrics address answers.
func metrics(t *testing.T, b *boat) string {
	t.Helper()
	resp, err := http.Get("http://" + b.metricsListener.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
