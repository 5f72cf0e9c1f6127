package router

import (
	"cmp"
	"context"
	"log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config sets a Router's limits. The zero value is usable: a zero field means the default named beside it.
type Config struct {
	Log       *slog.Logger // discarded if nil
	AccessLog *slog.Logger // one record a request; off if nil

	FirstByte time.Duration // from the end of the request to the first byte of the answer; 30 s
	Idle      time.Duration // longest silence in a body or an upgraded connection; 60 s
	Header    time.Duration // from the first byte of a request, or from a new connection, to the end of the header section; 20 s
	KeepAlive time.Duration // between two requests on a connection; 75 s
	Queue     int           // requests per container that wait for an answer; 50
	MaxBody   int64         // bytes of a request's body; 75 MB
	MaxHeader int           // bytes of a request's header section; 32 kB
	Probe     time.Duration // pause between the first probes of a quarantined container, doubled up to 64 times as long; 250 ms

	// TrustForwarded keeps the X-Forwarded-*, Forwarded and X-Real-IP that came with the request. Set it only where
	// every client is a proxy of one's own; otherwise anybody can claim any address.
	TrustForwarded bool

	// ProxyProtocol expects each connection to begin with a PROXY header, as load balancers send it, and takes the client's address from
	// there. Connections without one are closed.
	ProxyProtocol bool

	// Dial connects to a container; nil is a net.Dialer with a time-out of 5 s. For tests.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// dialTimeout bounds a connection attempt. A container is on a network of this host or next to it.
const dialTimeout = 5 * time.Second

func (c Config) withDefaults() Config {
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	c.FirstByte = cmp.Or(c.FirstByte, 30*time.Second)
	c.Idle = cmp.Or(c.Idle, 60*time.Second)
	c.Header = cmp.Or(c.Header, 20*time.Second)
	c.KeepAlive = cmp.Or(c.KeepAlive, 75*time.Second)
	c.Queue = cmp.Or(c.Queue, 50)
	c.MaxBody = cmp.Or(c.MaxBody, 75<<20)
	c.MaxHeader = cmp.Or(c.MaxHeader, 32<<10)
	c.Probe = cmp.Or(c.Probe, 250*time.Millisecond)
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	return c
}

// Target is a web container.
type Target struct {
	Name string // within the app, e.g. "web-1"
	Addr string // host:port, e.g. "10.0.0.2:5000"
}

// Route says where an app's requests go.
type Route struct {
	App     string
	Release string   // id of the version that the targets run
	Hosts   []string // domain names, or "*.example.com"; case, port and a final dot do not matter
	Targets []Target // empty: scaled to zero, requests get 503
	Serving bool     // false: the app has no release yet, requests get 404

	Sticky     bool   // a visitor is kept on one container for 24 hours, by the cookie sc-sticky-session
	ForceHTTPS bool   // a request that did not come by HTTPS is redirected
	Canonical  string // the host that requests for the other hosts are redirected to; none if empty
}

func (r Route) clone() Route {
	r.Hosts, r.Targets = slices.Clone(r.Hosts), slices.Clone(r.Targets)
	return r
}

// Router is an http.Handler. Make one with New; all methods are safe for concurrent use.
type Router struct {
	cfg      Config
	table    atomic.Pointer[table]
	buffers  buffers
	calendar calendar
	packers  packers
	proxyLog *log.Logger

	stop   context.CancelFunc
	ctx    context.Context // of the probes
	probes sync.WaitGroup

	mu sync.Mutex // serialises writers of table; readers take no lock
}

var _ http.Handler = (*Router)(nil)

// New returns a Router without routes. Close it after use.
func New(cfg Config) *Router {
	r := &Router{cfg: cfg.withDefaults(), packers: newPackers()}
	r.ctx, r.stop = context.WithCancel(context.Background())
	r.proxyLog = slog.NewLogLogger(r.cfg.Log.Handler(), slog.LevelDebug)
	r.table.Store(newTable())
	return r
}

// Set replaces the whole route of route.App in one step. The Drain, never nil, covers the targets that no longer belong
// to it; those of the same release, name and address are kept with their connections, which is how an app is scaled. A host
// that another app has keeps belonging to that one until it gives it up.
func (r *Router) Set(route Route) *Drain {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.table.Load()
	prior := old.app(route.App)
	next := r.makeLive(route.clone(), prior)
	table, refused := old.with(next)
	r.table.Store(table)
	for _, host := range refused {
		r.cfg.Log.Error("host belongs to another app", "app", route.App, "host", host, "owner", table.find([]byte(host)).route.App)
	}
	return retire(prior, next)
}

// Remove takes an app out of the table: its hosts become unknown. Removing an unknown app is no error.
func (r *Router) Remove(app string) *Drain {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.table.Load()
	r.table.Store(old.without(app))
	return retire(old.app(app), nil)
}

// Routes returns a copy of all routes, sorted by app.
func (r *Router) Routes() []Route {
	var routes []Route
	for live := range r.table.Load().apps.values() {
		routes = append(routes, live.route.clone())
	}
	slices.SortFunc(routes, func(a, b Route) int { return cmp.Compare(a.App, b.App) })
	return routes
}

// Close stops probing and closes idle connections to containers. Shut the server down first.
func (r *Router) Close() error {
	r.mu.Lock()
	r.stop()
	for live := range r.table.Load().apps.values() {
		for _, t := range live.targets {
			t.transport.CloseIdleConnections()
			t.pool.close()
		}
	}
	r.mu.Unlock()
	r.probes.Wait()
	return nil
}
