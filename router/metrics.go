package router

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the figures of a Router. There is one set an app in the table, and one, with an empty name, for the requests to
// unknown hosts: what clients send makes no new ones.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	switches *prometheus.CounterVec
	nobody   *figures
}

// Gauges that are read from the table when somebody asks.
var (
	inFlightDesc   = prometheus.NewDesc("boathook_router_requests_in_flight", "Requests that are not finished, upgraded connections included.", []string{"app"}, nil)
	queuedDesc     = prometheus.NewDesc("boathook_router_requests_queued", "Requests that wait for the app to begin its answer.", []string{"app"}, nil)
	containersDesc = prometheus.NewDesc("boathook_router_containers", "Web containers by how they fare: serving, or in quarantine.", []string{"app", "state"}, nil)
)

func newMetrics() *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "boathook_router_requests_total", Help: "Requests by the class of the answer's status: 1xx to 5xx, and gone where the client went away before it.",
		}, []string{"app", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "boathook_router_request_duration_seconds", Help: "Time from a request's header section to the end of the answer; upgraded connections are not counted.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"app"}),
		switches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "boathook_router_switches_total", Help: "Changes of the version that serves an app.",
		}, []string{"app"}),
	}
	m.nobody = m.of("")
	return m
}

// figures are the metrics of one app, looked up.
type figures struct {
	codes    [6]prometheus.Counter // by status/100; 0 is gone
	duration prometheus.Observer
	switches prometheus.Counter
}

var codeNames = [6]string{"gone", "1xx", "2xx", "3xx", "4xx", "5xx"}

func (m *metrics) of(app string) *figures {
	f := &figures{duration: m.duration.WithLabelValues(app), switches: m.switches.WithLabelValues(app)}
	for class, name := range codeNames {
		f.codes[class] = m.requests.WithLabelValues(app, name)
	}
	return f
}

// next are the figures of an app's next route.
func (m *metrics) next(route Route, old *live) *figures {
	if old == nil {
		return m.of(route.App)
	}
	if old.route.Release != route.Release {
		old.figures.switches.Inc()
	}
	return old.figures
}

// forget drops what there is of an app.
func (m *metrics) forget(app string) {
	labels := prometheus.Labels{"app": app}
	m.requests.DeletePartialMatch(labels)
	m.duration.DeletePartialMatch(labels)
	m.switches.DeletePartialMatch(labels)
}

// observe counts a finished request; l is nil where its host is unknown.
func (m *metrics) observe(l *live, status int, start time.Time) {
	f := m.nobody
	if l != nil {
		f = l.figures
	}
	class := status / 100
	if class >= len(f.codes) || status == statusClientClosed {
		class = 0
	}
	f.codes[class].Inc()
	if status != http.StatusSwitchingProtocols {
		f.duration.Observe(time.Since(start).Seconds())
	}
}

var _ prometheus.Collector = (*Router)(nil)

// Describe implements prometheus.Collector.
func (r *Router) Describe(to chan<- *prometheus.Desc) {
	r.metrics.requests.Describe(to)
	r.metrics.duration.Describe(to)
	r.metrics.switches.Describe(to)
	to <- inFlightDesc
	to <- queuedDesc
	to <- containersDesc
}

// Collect implements prometheus.Collector. A version that is being drained is not in its app's gauges any more.
func (r *Router) Collect(to chan<- prometheus.Metric) {
	r.metrics.requests.Collect(to)
	r.metrics.duration.Collect(to)
	r.metrics.switches.Collect(to)
	gauge := func(desc *prometheus.Desc, value int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), labels...)
	}
	for live := range r.table.Load().apps.values() {
		app := live.route.App
		var inFlight, queued, quarantined int64
		for _, t := range live.targets {
			inFlight += t.inflight.Load()
			queued += t.waiting.Load()
			if t.quarantined.Load() {
				quarantined++
			}
		}
		gauge(inFlightDesc, inFlight, app)
		gauge(queuedDesc, queued, app)
		gauge(containersDesc, int64(len(live.targets))-quarantined, app, "serving")
		gauge(containersDesc, quarantined, app, "quarantined")
	}
}
