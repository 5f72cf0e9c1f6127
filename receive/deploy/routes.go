package deploy

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	"boathook/receive/state"
	"boathook/router"
	"boathook/runner"
)

// routes keeps the router's table in step with the containers of the live releases: addresses change when the
// engine restarts a container. One that comes later than its release is in the table only once it accepts connections; one that does so
// by the time it is found takes the place of its former run at one instant.
type routes struct {
	engine  runner.Engine
	router  Router
	appsURL *url.URL
	log     *slog.Logger

	probes sync.WaitGroup
	stop   context.Context // ends the probes

	mu     sync.Mutex // guards served and each entry, and rules
	served map[string]*serving
	rules  map[string]*rules // by app; one that is not there has none
}

// rules are what the router does for an app beyond its containers.
type rules struct {
	ruling
	asked, applied int // as in serving, of the questions to the store
}

// ruling is an answer of the store.
type ruling struct {
	state.Routing
	certificates []router.Certificate
}

// serving is the live release of one app.
type serving struct {
	release string
	targets []router.Target
	// ready has the runs of containers that accept, or did; probing those that are being asked.
	ready, probing map[run]bool
	leaving        map[string]bool // ids of containers that get no more requests
	// asked and applied number the questions to the engine: an answer older than one already applied is dropped.
	asked, applied int
	gate           chan struct{} // holds a token while an answer is worked on, containers that it names are dialed included
}

// run is one life of a container, from a start to the next.
type run struct {
	id      string
	started time.Time
}

func runOf(i runner.Instance) run { return run{i.ID, i.Started} }

// newRoutes makes a table for d's engine and router.
func newRoutes(d *Deployer) *routes {
	return &routes{engine: d.Engine, router: d.Router, appsURL: d.AppsURL, log: d.Log, stop: d.stop, served: map[string]*serving{}, rules: map[string]*rules{}}
}

// host is the app's name under the platform's domain.
func (r *routes) host(app string) string { return app + "." + r.appsURL.Hostname() }

// url is where the app is reached.
func (r *routes) url(app string) string {
	u := *r.appsURL
	u.Host = app + "." + u.Host
	return u.String()
}

// live makes release the app's served one, at one instant, and returns what drains of the former. The instances are taken to
// accept connections.
func (r *routes) live(app, release string, instances []runner.Instance) *router.Drain {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := newServing(release, instances)
	r.served[app] = s
	return r.router.Set(r.route(app, s))
}

// newServing takes the instances to accept connections.
func newServing(release string, instances []runner.Instance) *serving {
	s := &serving{release: release, ready: map[run]bool{}, probing: map[run]bool{}, leaving: map[string]bool{}, gate: make(chan struct{}, 1)}
	for _, i := range instances {
		s.ready[runOf(i)] = true
	}
	s.targets = s.targetsOf(instances)
	return s
}

// rename has the router know an app by another name, at one instant, with the containers that it has under that. What is returned drains of
// the old name.
func (r *routes) rename(old, name, release string, instances []runner.Instance) *router.Drain {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rules := r.rules[old]; rules != nil {
		r.rules[name] = rules
	}
	delete(r.rules, old)
	if r.served[old] == nil { // never deployed
		return r.router.Remove(old)
	}
	delete(r.served, old)
	s := newServing(release, instances)
	r.served[name] = s
	return r.router.Rename(old, r.route(name, s))
}

// remove takes the app off the router.
func (r *routes) remove(app string) *router.Drain {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.served, app)
	delete(r.rules, app)
	return r.router.Remove(app)
}

// route is called with mu held.
func (r *routes) route(app string, s *serving) router.Route {
	route := router.Route{App: app, Release: s.release, Hosts: []string{r.host(app)}, Targets: s.targets, Serving: true}
	if rules := r.rules[app]; rules != nil {
		route.Hosts = append(route.Hosts, rules.Hosts...)
		route.Canonical, route.ForceHTTPS, route.Sticky = rules.Canonical, rules.ForceHTTPS, rules.Sticky
		route.Certificates = rules.certificates
		route.Logged = rules.RouterLogs
		route.Maintenance, route.MaintenancePage, route.ErrorPage = rules.Maintenance, rules.MaintenancePage, rules.ErrorPage
	}
	return route
}

// reload asks for the app's rules and has the router follow them. What drains has no targets.
func (r *routes) reload(app string, ask func() (ruling, error)) (*router.Drain, error) {
	r.mu.Lock()
	if r.rules[app] == nil {
		r.rules[app] = &rules{}
	}
	of := r.rules[app]
	of.asked++
	question := of.asked
	r.mu.Unlock()

	answer, err := ask()
	if err != nil {
		return nil, err
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rules[app] != of || question < of.applied {
		return &router.Drain{}, nil // the app has gone, or a later question was answered before
	}
	of.ruling, of.applied = answer, question
	if s := r.served[app]; s != nil {
		return r.router.Set(r.route(app, s)), nil
	}
	return &router.Drain{}, nil
}

// dialable tells whether there is an address to which requests go.
func dialable(i runner.Instance) bool {
	return i.Type == web && i.Phase == runner.Running && i.Addr != ""
}

// targetsOf are the web containers that accept connections.
func (s *serving) targetsOf(instances []runner.Instance) []router.Target {
	var targets []router.Target
	for _, i := range instances {
		if dialable(i) && s.ready[runOf(i)] && !s.leaving[i.ID] {
			targets = append(targets, router.Target{Name: i.Name(), Addr: i.Addr})
		}
	}
	return targets
}

// leave takes a container of the live release off the table, until it is gone or stay is called, and returns what drains; nil if it was not in it.
func (r *routes) leave(i runner.Instance) *router.Drain {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.served[i.App]
	if s == nil || s.release != i.Release {
		return nil
	}
	s.leaving[i.ID] = true
	targets := slices.DeleteFunc(slices.Clone(s.targets), func(t router.Target) bool { return t.Name == i.Name() })
	if len(targets) == len(s.targets) {
		return nil
	}
	s.targets = targets
	return r.router.Set(r.route(i.App, s))
}

// stay takes back what leave said.
func (r *routes) stay(ctx context.Context, i runner.Instance) error {
	r.mu.Lock()
	if s := r.served[i.App]; s != nil {
		delete(s.leaving, i.ID)
	}
	r.mu.Unlock()
	return r.refresh(ctx, i.App)
}

// refresh asks the engine for the live release's containers and routes to them. What drains is not waited for: those containers
// are gone already.
func (r *routes) refresh(ctx context.Context, app string) error {
	r.mu.Lock()
	s := r.served[app]
	if s == nil {
		r.mu.Unlock()
		return nil
	}
	s.asked++
	question := s.asked
	r.mu.Unlock()

	instances, err := r.engine.List(ctx, runner.Selector{App: app, Release: s.release})
	if err != nil {
		return err
	}
	select {
	case s.gate <- struct{}{}:
		defer func() { <-s.gate }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if !r.current(app, s, question) {
		return nil
	}
	r.greet(app, s, instances)

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.served[app] != s {
		return nil
	}
	s.applied = question
	s.forget(instances)
	targets := s.targetsOf(instances)
	if slices.Equal(targets, s.targets) {
		return nil
	}
	s.targets = targets
	r.router.Set(r.route(app, s)).Close()
	return nil
}

// current tells whether the answer to a question is still of interest.
func (r *routes) current(app string, s *serving, question int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.served[app] == s && question >= s.applied
}

// accepts notes that a container accepts connections; the next refresh puts it into the table.
func (r *routes) accepts(i runner.Instance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.served[i.App]; s != nil && s.release == i.Release {
		s.ready[runOf(i)] = true
	}
}

// accepted tells whether a container of the live release accepts connections, or did.
func (r *routes) accepted(i runner.Instance) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.served[i.App]
	return s != nil && s.release == i.Release && s.ready[runOf(i)]
}

// greetTime bounds the first attempt to connect to a container: it holds the news of an app up, and one that listens on this machine
// accepts at once.
const greetTime = 200 * time.Millisecond

// greet dials those of an app's instances of which nothing is known yet, all at the same time and each once; one that does not accept is
// probed from then on. It is called through s.gate.
func (r *routes) greet(app string, s *serving, instances []runner.Instance) {
	r.mu.Lock()
	var unknown []runner.Instance
	for _, i := range instances {
		if dialable(i) && !s.ready[runOf(i)] && !s.probing[runOf(i)] {
			s.probing[runOf(i)] = true
			unknown = append(unknown, i)
		}
	}
	r.mu.Unlock()
	var greeted sync.WaitGroup
	for _, i := range unknown {
		greeted.Go(func() {
			if r.dial(i, greetTime) {
				r.accepts(i)
				return
			}
			r.probes.Go(func() { r.probe(app, s, i) })
		})
	}
	greeted.Wait()
}

// forget drops what is known of runs that are over, and with it ends their probes.
func (s *serving) forget(instances []runner.Instance) {
	there := map[run]bool{}
	for _, i := range instances {
		there[runOf(i)] = true
	}
	gone := func(one run, _ bool) bool { return !there[one] }
	maps.DeleteFunc(s.ready, gone)
	maps.DeleteFunc(s.probing, gone)
	maps.DeleteFunc(s.leaving, func(id string, _ bool) bool {
		return !slices.ContainsFunc(instances, func(i runner.Instance) bool { return i.ID == id })
	})
}

// dial tells whether a container accepts connections. The one that it gets is only opened.
func (r *routes) dial(i runner.Instance, limit time.Duration) bool {
	dialer := net.Dialer{Timeout: limit}
	conn, err := dialer.DialContext(r.stop, "tcp", i.Addr)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// probe dials a container until it accepts, and then has it put into the table. It ends as well when that run of the container is over.
func (r *routes) probe(app string, s *serving, i runner.Instance) {
	for pause := dialFirst; r.wanted(app, s, i) && untilStayed(r.stop, pause) == nil; pause = min(2*pause, time.Second) {
		if r.dial(i, time.Second) {
			r.accepts(i)
			r.changed(r.stop, app)
			return
		}
	}
}

// wanted tells whether a probe's answer is still of interest.
func (r *routes) wanted(app string, s *serving, i runner.Instance) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.served[app] == s && s.probing[runOf(i)]
}

// follow refreshes an app's route whenever one of its containers changes, and then tells changed, until ctx ends. What a snapshot says is only the
// occasion: it may be older than a switch, so the engine is asked again.
func (r *routes) follow(ctx context.Context, changed func(app string)) {
	for ctx.Err() == nil {
		snapshots, err := r.engine.Watch(ctx, runner.Selector{})
		if err != nil {
			if ctx.Err() == nil {
				r.log.Error("containers not watched", "err", err)
			}
			_ = untilStayed(ctx, time.Second)
			continue
		}
		before := map[string][]runner.Instance{}
		for snapshot := range snapshots {
			now := byApp(snapshot)
			var told sync.WaitGroup // side by side, as one whose containers do not answer must not hold up the others
			for app := range differing(before, now) {
				told.Go(func() {
					r.changed(ctx, app)
					changed(app)
				})
			}
			told.Wait()
			before = now
		}
	}
}

func (r *routes) changed(ctx context.Context, app string) {
	if err := r.refresh(ctx, app); err != nil && ctx.Err() == nil {
		r.log.Error("route not refreshed", "app", app, "err", err)
	}
}

// differing are the apps whose containers are not the same before and now.
func differing(before, now map[string][]runner.Instance) map[string]bool {
	apps := map[string]bool{}
	for app := range now {
		if !sameTargets(before[app], now[app]) {
			apps[app] = true
		}
	}
	for app := range before {
		if _, still := now[app]; !still {
			apps[app] = true
		}
	}
	return apps
}

func byApp(snapshot []runner.Instance) map[string][]runner.Instance {
	apps := map[string][]runner.Instance{}
	for _, i := range snapshot {
		apps[i.App] = append(apps[i.App], i)
	}
	return apps
}

func sameTargets(a, b []runner.Instance) bool {
	return slices.EqualFunc(a, b, func(x, y runner.Instance) bool {
		return x.ID == y.ID && x.Phase == y.Phase && x.Addr == y.Addr && x.Restarts == y.Restarts
	})
}
