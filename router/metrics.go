package router

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
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
	late     prometheus.Counter // of requests that end after their app has gone; nobody asks for it

	mu sync.Mutex // orders forgetting an app, and making another series of it
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
			Name: "boathook_router_requests_total", Help: "Requests by the answer's status, 4xx for one of 400 to 499 that no document assigns, and gone where the client went away before it.",
		}, []string{"app", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "boathook_router_request_duration_seconds", Help: "Time from a request's header section to the end of the answer; upgraded connections are not counted.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"app"}),
		switches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "boathook_router_switches_total", Help: "Changes of the version that serves an app.",
		}, []string{"app"}),
		late: prometheus.NewCounter(prometheus.CounterOpts{}),
	}
	m.nobody = m.of("")
	return m
}

// figures are the metrics of one app, looked up.
type figures struct {
	app      string
	codes    []atomic.Pointer[prometheus.Counter] // as codeNames; nil: none yet
	duration prometheus.Observer
	switches prometheus.Counter
	gone     bool // the app is not in the table any more; metrics.mu guards it
}

// codeNames are the values of the label code: the classes, of which the first is gone, and each status that is assigned (IANA's registry, as
// net/http has it). An app that makes statuses up makes no more series. codeIndex finds them by status.
var codeNames, codeIndex = func() (names []string, index [600]uint8) {
	names = []string{"gone", "1xx", "2xx", "3xx", "4xx", "5xx"}
	for status := range index {
		index[status] = uint8(status / 100)
		if http.StatusText(status) != "" {
			index[status] = uint8(len(names))
			names = append(names, strconv.Itoa(status))
		}
	}
	return names, index
}()

func (m *metrics) of(app string) *figures {
	return &figures{
		app: app, codes: make([]atomic.Pointer[prometheus.Counter], len(codeNames)),
		duration: m.duration.WithLabelValues(app), switches: m.switches.WithLabelValues(app),
	}
}

// code is the counter of a status.
func (m *metrics) code(f *figures, status int) prometheus.Counter {
	n := uint8(0)
	if status < len(codeIndex) && status != statusClientClosed {
		n = codeIndex[status]
	}
	if known := f.codes[n].Load(); known != nil {
		return *known
	}
	return m.firstOf(f, n)
}

// firstOf makes the counter of a code that an app has answered with for the first time. One that has gone gets no more of them.
func (m *metrics) firstOf(f *figures, n uint8) prometheus.Counter {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f.gone {
		return m.late
	}
	c := m.requests.WithLabelValues(f.app, codeNames[n])
	f.codes[n].Store(&c)
	return c
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

// forget drops what there is of an app that is taken out of the table; l is nil if it was not there.
func (m *metrics) forget(l *live) {
	if l == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l.figures.gone = true
	labels := prometheus.Labels{"app": l.route.App}
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
	m.code(f, status).Inc()
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
			queued += t.waiting.Load() + t.slow.Load()
			if t.quarantined() {
				quarantined++
			}
		}
		gauge(inFlightDesc, inFlight, app)
		gauge(queuedDesc, queued, app)
		gauge(containersDesc, int64(len(live.targets))-quarantined, app, "serving")
		gauge(containersDesc, quarantined, app, "quarantined")
	}
}
