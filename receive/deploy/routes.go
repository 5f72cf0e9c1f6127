package deploy

import (
	"context"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"time"

	"boathook/router"
	"boathook/runner"
)

// routes keeps the router's table in step with the containers of the live releases: addresses change when the
// engine restarts a container.
type routes struct {
	engine  runner.Engine
	router  Router
	appsURL *url.URL
	log     *slog.Logger

	mu     sync.Mutex // guards served and each entry
	served map[string]*serving
}

// serving is the live release of one app.
type serving struct {
	release string
	targets []router.Target
	// asked and applied number the questions to the engine: an answer older than one already applied is dropped.
	asked, applied int
}

func newRoutes(engine runner.Engine, r Router, appsURL *url.URL, log *slog.Logger) *routes {
	return &routes{engine: engine, router: r, appsURL: appsURL, log: log, served: map[string]*serving{}}
}

// host is the app's name under the platform's domain.
func (r *routes) host(app string) string { return app + "." + r.appsURL.Hostname() }

// url is where the app is reached.
func (r *routes) url(app string) string {
	u := *r.appsURL
	u.Host = app + "." + u.Host
	return u.String()
}

// live makes release the app's served one, at one instant, and returns what drains of the former.
func (r *routes) live(app, release string, instances []runner.Instance) *router.Drain {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &serving{release: release, targets: targetsOf(instances)}
	r.served[app] = s
	return r.router.Set(r.route(app, s))
}

// remove takes the app off the router.
func (r *routes) remove(app string) *router.Drain {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.served, app)
	return r.router.Remove(app)
}

func (r *routes) route(app string, s *serving) router.Route {
	return router.Route{App: app, Release: s.release, Hosts: []string{r.host(app)}, Targets: s.targets, Serving: true}
}

// targetsOf are the web containers that can be dialled.
func targetsOf(instances []runner.Instance) []router.Target {
	var targets []router.Target
	for _, i := range instances {
		if i.Type == web && i.Phase == runner.Running && i.Addr != "" {
			targets = append(targets, router.Target{Name: i.Name(), Addr: i.Addr})
		}
	}
	return targets
}

// refresh asks the engine for the live release's containers and routes to them. except names instances that are about to
// be removed.
func (r *routes) refresh(ctx context.Context, app string, except ...string) (*router.Drain, error) {
	r.mu.Lock()
	s := r.served[app]
	if s == nil {
		r.mu.Unlock()
		return nil, nil
	}
	s.asked++
	question := s.asked
	r.mu.Unlock()

	instances, err := r.engine.List(ctx, runner.Selector{App: app, Release: s.release})
	if err != nil {
		return nil, err
	}
	instances = slices.DeleteFunc(instances, func(i runner.Instance) bool { return slices.Contains(except, i.ID) })

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.served[app] != s || question < s.applied {
		return nil, nil
	}
	s.applied = question
	targets := targetsOf(instances)
	if slices.Equal(targets, s.targets) {
		return nil, nil
	}
	s.targets = targets
	return r.router.Set(r.route(app, s)), nil
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
			for app := range now {
				if !sameTargets(before[app], now[app]) {
					r.changed(ctx, app)
					changed(app)
				}
			}
			for app := range before {
				if _, still := now[app]; !still {
					r.changed(ctx, app)
					changed(app)
				}
			}
			before = now
		}
	}
}

func (r *routes) changed(ctx context.Context, app string) {
	if _, err := r.refresh(ctx, app); err != nil && ctx.Err() == nil {
		r.log.Error("route not refreshed", "app", app, "err", err)
	}
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
