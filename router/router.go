package router

import (
	"cmp"
	"context"
	"log"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config sets a Router's limits. The zero value is usable: a zero field means the default named beside it.
type Config struct {
	Log       *slog.Logger // discarded if nil
	AccessLog AccessLog    // off if nil

	FirstByte time.Duration // from the end of the request to the first byte of the answer; 30 s
	Idle      time.Duration // longest silence in a body or an upgraded connection; 60 s
	Header    time.Duration // from the first byte of a request, or from a new connection, to the end of the header section; 20 s
	KeepAlive time.Duration // between two requests on a connection; 75 s
	Queue     int           // requests per container that wait for an answer; 50
	MaxBody   int64         // bytes of a request's body; 75 MB
	MaxHeader int           // bytes of a request's header section; 32 kB
	Probe     time.Duration // pause between the first probes of a quarantined container, doubled up to 64 times as long; 250 ms

	// Forwarders are the proxies of one's own: the X-Forwarded-*, Forwarded and X-Real-IP that came with a request of one of them are kept. Anybody
	// else's are replaced, or anybody could claim any address.
	Forwarders []netip.Prefix

	// ProxyProtocol expects each connection to begin with a PROXY header, as load balancers send it, and takes the client's address from
	// there. Connections without one are closed.
	ProxyProtocol bool

	TLS *TLS // for HTTPS; nil: the routes' own certificates are all there is

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

	Certificates []Certificate // its own, for TLS; one for a host
	Logged       bool          // a Follower tells its Feed of the requests

	Maintenance     bool   // requests get 503 and reach no target; those that have reached one are finished
	MaintenancePage string // HTML that they get then; the router's own if empty
	ErrorPage       string // HTML for the router's other 502, 503 and 504; the router's words if empty
}

func (r Route) clone() Route {
	r.Hosts, r.Targets, r.Certificates = slices.Clone(r.Hosts), slices.Clone(r.Targets), slices.Clone(r.Certificates)
	return r
}

// Router is an http.Handler. Make one with New; all methods are safe for concurrent use.
type Router struct {
	cfg      Config
	table    atomic.Pointer[table]
	ignorant atomic.Bool // there is a table that is not known yet, see Follower
	metrics  *metrics
	buffers  buffers
	calendar calendar
	packers  packers
	proxyLog *log.Logger

	challenges *challenges
	keeper     *keeper // nil without Config.TLS
	stapler    *stapler

	stop   context.CancelFunc
	ctx    context.Context // of the probes
	probes sync.WaitGroup

	mu sync.Mutex // serialises writers of table; readers take no lock
}

var _ http.Handler = (*Router)(nil)

// New returns a Router without routes. Close it after use.
func New(cfg Config) *Router {
	r := &Router{cfg: cfg.withDefaults(), metrics: newMetrics(), packers: newPackers(), challenges: newChallenges()}
	r.ctx, r.stop = context.WithCancel(context.Background())
	r.proxyLog = slog.NewLogLogger(r.cfg.Log.Handler(), slog.LevelDebug)
	r.table.Store(newTable())
	r.stapler = newStapler(r.cfg.Log)
	if r.cfg.TLS != nil {
		r.keeper = newKeeper(r)
	}
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
	r.table.Store(old.with(next))
	return r.succeed(prior, next)
}

// Rename puts route in the place of another app's in one step, of which it takes over the hosts that both have. The Drain, never nil, covers
// all targets of the other one.
func (r *Router) Rename(from string, route Route) *Drain {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.table.Load()
	prior := old.app(from)
	next := r.makeLive(route.clone(), nil)
	r.table.Store(old.swap(prior, next))
	r.metrics.forget(prior)
	return r.succeed(prior, next)
}

// Remove takes an app out of the table: its hosts become unknown. Removing an unknown app is no error.
func (r *Router) Remove(app string) *Drain {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.table.Load()
	prior := old.app(app)
	r.table.Store(old.without(app))
	r.metrics.forget(prior)
	return r.succeed(prior, nil)
}

// replace makes routes all there are, in one step: an app that is not among them is removed, the others are set in turn. A host that goes from one app
// to another is never unknown meanwhile. The Drain, never nil, covers all targets that no longer belong to anybody.
func (r *Router) replace(routes []Route) *Drain {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.table.Load()
	next, stays := old, group{}
	for _, route := range routes {
		stays[route.App] = true
	}
	var gone []*live
	for prior := range old.apps.values() {
		if app := prior.route.App; !stays[app] {
			gone, next = append(gone, prior), next.without(app)
		}
	}
	for _, route := range routes {
		next = next.with(r.makeLive(route.clone(), old.app(route.App)))
	}
	r.table.Store(next)
	all := &Drain{}
	for _, prior := range gone {
		r.metrics.forget(prior)
		all.targets = append(all.targets, r.succeed(prior, nil).targets...)
	}
	for _, route := range routes {
		all.targets = append(all.targets, r.succeed(old.app(route.App), next.app(route.App)).targets...)
	}
	return all
}

// succeed does what follows once the table has next, nil for none, in the place of prior, nil for none. r.mu is held.
func (r *Router) succeed(prior, next *live) *Drain {
	table := r.table.Load()
	for _, host := range slices.Sorted(maps.Keys(next.keys())) {
		if owner := table.hosts.get([]byte(host))[0]; owner != next {
			r.cfg.Log.Error("host belongs to another app", "app", next.route.App, "host", host, "owner", owner.route.App)
		}
	}
	r.keeper.look(prior.keys(), next.keys())
	r.stapler.replace(prior.own(), next.own())
	return retire(prior, next)
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

// Close stops probing and obtaining certificates, and closes idle connections to containers. Shut the server down first.
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
	r.keeper.close()
	r.stapler.close()
	return nil
}
