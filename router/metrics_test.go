package router_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"boathook/router"
)

// TestMetrics compares all counters and gauges after some requests. Only the sums and buckets of durations are left out.
func TestMetrics(t *testing.T) {
	onBothPaths(t, func(t *testing.T, on path) {
		f := newFront(t, on, router.Config{})
		web := app(t, "web-1", func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == "/broken" {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		f.Set(route(web))
		for _, path := range []string{"/", "/", "/broken"} {
			f.get(path)
		}
		f.get("/", func(req *http.Request) { req.Host = "nobody.test" })
		next := route(web, router.Target{Name: "web-2", Addr: "127.0.0.1:1"})
		next.Release = "2"
		f.Set(next)
		for range 2 { // one of them by way of web-2, which nobody listens for
			f.get("/")
		}
		want := `
			# HELP boathook_router_containers Web containers by how they fare: serving, or in quarantine.
			# TYPE boathook_router_containers gauge
			boathook_router_containers{app="shop",state="quarantined"} 1
			boathook_router_containers{app="shop",state="serving"} 1
			# HELP boathook_router_requests_in_flight Requests that are not finished, upgraded connections included.
			# TYPE boathook_router_requests_in_flight gauge
			boathook_router_requests_in_flight{app="shop"} 0
			# HELP boathook_router_requests_queued Requests that wait for the app to begin its answer.
			# TYPE boathook_router_requests_queued gauge
			boathook_router_requests_queued{app="shop"} 0
			# HELP boathook_router_requests_total Requests by the class of the answer's status: 1xx to 5xx, and gone where the client went away before it.
			# TYPE boathook_router_requests_total counter
			boathook_router_requests_total{app="",code="1xx"} 0
			boathook_router_requests_total{app="",code="2xx"} 0
			boathook_router_requests_total{app="",code="3xx"} 0
			boathook_router_requests_total{app="",code="4xx"} 1
			boathook_router_requests_total{app="",code="5xx"} 0
			boathook_router_requests_total{app="",code="gone"} 0
			boathook_router_requests_total{app="shop",code="1xx"} 0
			boathook_router_requests_total{app="shop",code="2xx"} 4
			boathook_router_requests_total{app="shop",code="3xx"} 0
			boathook_router_requests_total{app="shop",code="4xx"} 0
			boathook_router_requests_total{app="shop",code="5xx"} 1
			boathook_router_requests_total{app="shop",code="gone"} 0
			# HELP boathook_router_switches_total Changes of the version that serves an app.
			# TYPE boathook_router_switches_total counter
			boathook_router_switches_total{app=""} 0
			boathook_router_switches_total{app="shop"} 1
		`
		want = regexp.MustCompile(`(?m)^\t+`).ReplaceAllString(want, "")
		names := []string{"boathook_router_containers", "boathook_router_requests_in_flight", "boathook_router_requests_queued", "boathook_router_requests_total", "boathook_router_switches_total"}
		eventually(t, "the figures of all requests", func() bool {
			return testutil.CollectAndCompare(f.Router, strings.NewReader(want), names...) == nil
		})
		if n := durations(t, f.Router, "shop"); n != 5 {
			t.Errorf("%d durations", n)
		}
		f.Remove("shop")
		if n := testutil.CollectAndCount(f.Router, names...); n != 7 {
			t.Errorf("%d figures after the app has gone, want those of unknown hosts", n)
		}
	})
}

// durations is how many requests to an app have been timed.
func durations(t *testing.T, r *router.Router, app string) uint64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry() // checks the collector as well
	if err := registry.Register(r); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if metric.GetHistogram() != nil && metric.GetLabel()[0].GetValue() == app {
				return metric.GetHistogram().GetSampleCount()
			}
		}
	}
	return 0
}
