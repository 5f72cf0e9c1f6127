package router_test

import (
	"fmt"
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
			switch req.URL.Path {
			case "/broken":
				w.WriteHeader(http.StatusInternalServerError)
			case "/444":
				w.WriteHeader(444)
			case "/445":
				w.WriteHeader(445)
			}
		})
		f.Set(route(web))
		for _, path := range []string{"/", "/", "/broken", "/444", "/445"} {
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
			# HELP boathook_router_requests_total Requests by the answer's status, 4xx for one of 400 to 499 that no document assigns, and gone where the client went away before it.
			# TYPE boathook_router_requests_total counter
			boathook_router_requests_total{app="",code="404"} 1
			boathook_router_requests_total{app="shop",code="200"} 4
			boathook_router_requests_total{app="shop",code="4xx"} 2
			boathook_router_requests_total{app="shop",code="500"} 1
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
		eventually(t, "the duration of each", func() bool { return durations(t, f.Router, "shop") == 7 }) // it follows the count
		f.Remove("shop")
		if n := testutil.CollectAndCount(f.Router, names...); n != 2 {
			t.Errorf("%d figures after the app has gone, want those of unknown hosts", n)
		}
	})
}

// TestMetricsMeanwhile looks at the gauges while a request waits for its answer, and while that is on its way.
func TestMetricsMeanwhile(t *testing.T) {
	onBothPaths(t, func(t *testing.T, on path) {
		f := newFront(t, on, router.Config{})
		arrived, begin, end := make(chan bool), make(chan bool), make(chan bool)
		f.Set(route(app(t, "web-1", func(w http.ResponseWriter, _ *http.Request) {
			arrived <- true
			<-begin
			_ = http.NewResponseController(w).Flush()
			<-end
		})))
		gauges := func(inFlight, queued int) func() bool {
			want := fmt.Sprintf(`
# HELP boathook_router_requests_in_flight Requests that are not finished, upgraded connections included.
# TYPE boathook_router_requests_in_flight gauge
boathook_router_requests_in_flight{app="shop"} %d
# HELP boathook_router_requests_queued Requests that wait for the app to begin its answer.
# TYPE boathook_router_requests_queued gauge
boathook_router_requests_queued{app="shop"} %d
`, inFlight, queued)
			return func() bool {
				return testutil.CollectAndCompare(f.Router, strings.NewReader(want), "boathook_router_requests_in_flight", "boathook_router_requests_queued") == nil
			}
		}
		done := make(chan outcome, 1)
		go func() {
			got, err := send(http.DefaultClient, f.request(t.Context(), "GET", "/", nil))
			done <- outcome{got, err}
		}()
		<-arrived
		eventually(t, "one waits", gauges(1, 1))
		close(begin)
		eventually(t, "one is answered", gauges(1, 0))
		close(end)
		if got := <-done; got.err != nil {
			t.Error(got.err)
		}
		eventually(t, "none is left", gauges(0, 0))
	})
}

// TestMetricsOfTheGone ends a request with a code of its own after its app was removed, or renamed: the app's series do not come back.
func TestMetricsOfTheGone(t *testing.T) {
	onBothPaths(t, func(t *testing.T, on path) {
		for name, leave := range map[string]func(f *front, as router.Route) *router.Drain{
			"removed": func(f *front, _ router.Route) *router.Drain { return f.Remove("shop") },
			"renamed": func(f *front, as router.Route) *router.Drain {
				as.App = "store"
				return f.Rename("shop", as)
			},
		} {
			t.Run(name, func(t *testing.T) {
				log := newAccessLines()
				f := newFront(t, on, router.Config{AccessLog: log})
				arrived, end := make(chan bool), make(chan bool)
				r := route(app(t, "web-1", func(w http.ResponseWriter, _ *http.Request) {
					arrived <- true
					<-end
					w.WriteHeader(http.StatusTeapot)
				}))
				f.Set(r)
				done := make(chan outcome, 1)
				go func() {
					got, err := send(http.DefaultClient, f.request(t.Context(), "GET", "/", nil))
					done <- outcome{got, err}
				}()
				<-arrived
				leave(f, r)
				close(end)
				if got := <-done; got.err != nil || got.status != http.StatusTeapot {
					t.Error(got)
				}
				eventually(t, "the request is in the access log, and so was counted", func() bool { return len(log.all()) == 1 })
				if n := testutil.CollectAndCount(f.Router, "boathook_router_requests_total"); n != 0 {
					t.Errorf("%d counters of requests", n)
				}
			})
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
