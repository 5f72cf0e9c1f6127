package router

import (
	"bytes"
	"crypto/tls"
	"slices"
	"sync/atomic"
)

// table is what is routed where. It is never changed once stored.
type table struct {
	hosts *shelf[[]*live] // by hostKey: who has the host comes first, then whoever else asks for it, by name
	apps  *shelf[*live]   // by name
}

func newTable() *table { return &table{newShelf[[]*live](), newShelf[*live]()} }

// live is the route of an app as the table holds it. A change of the route makes a new live.
type live struct {
	route   Route
	targets []*target
	turn    atomic.Uint64 // round robin
	figures *figures

	certificates map[string]*tls.Certificate // its own, by hostKey

	maintenance, failure *page // see live.page; failure is nil if the app has none
}

// makeLive prepares a route, taking over the targets of old that stay the same.
func (r *Router) makeLive(route Route, old *live) *live {
	next := &live{route: route, figures: r.metrics.next(route, old), certificates: r.ownCertificates(route, old)}
	next.makePages(old)
	for _, want := range route.Targets {
		i := -1
		if old != nil && old.route.Release == route.Release {
			i = slices.IndexFunc(old.targets, func(t *target) bool { return t.Target == want })
		}
		if i >= 0 {
			next.targets = append(next.targets, old.targets[i])
		} else {
			next.targets = append(next.targets, r.newTarget(route.App, want))
		}
	}
	return next
}

// with returns the table with next in the place of its app's route. A host that belongs to another app stays with that one.
func (t *table) with(next *live) *table { return t.swap(t.app(next.route.App), next) }

// swap is with for a route that takes the place of another app's, which may be nil.
func (t *table) swap(prior, next *live) *table {
	result := &table{t.hosts, t.apps}
	if prior != nil && prior.route.App != next.route.App {
		result.apps = result.apps.without(prior.route.App)
	}
	result.apps = result.apps.with(next.route.App, next)
	wanted := next.keys()
	for key := range wanted {
		result.hosts = result.hosts.with(key, claim(t.hosts.get([]byte(key)), prior, next))
	}
	result.hosts = t.withdraw(result.hosts, prior, wanted)
	return result
}

func (t *table) without(app string) *table {
	prior := t.app(app)
	return &table{t.withdraw(t.hosts, prior, nil), t.apps.without(app)}
}

func (t *table) app(name string) *live { return t.apps.get([]byte(name)) }

// claim puts next in the place of prior among those who ask for a host, or at its place by name after the one who has it.
func claim(claims []*live, prior, next *live) []*live {
	if i := slices.Index(claims, prior); i >= 0 {
		claims = slices.Clone(claims)
		claims[i] = next
		return claims
	}
	i := min(1, len(claims))
	for i < len(claims) && claims[i].route.App < next.route.App {
		i++
	}
	return slices.Insert(slices.Clone(claims), i, next)
}

// withdraw takes prior, which may be nil, from the hosts that it asked for, but for those in kept. Who comes next by name has the host then.
func (t *table) withdraw(hosts *shelf[[]*live], prior *live, kept map[string]bool) *shelf[[]*live] {
	for key := range prior.keys() {
		if kept[key] {
			continue
		}
		claims := slices.DeleteFunc(slices.Clone(t.hosts.get([]byte(key))), func(l *live) bool { return l == prior })
		if len(claims) > 0 {
			hosts = hosts.with(key, claims)
		} else {
			hosts = hosts.without(key)
		}
	}
	return hosts
}

// keys are the hosts that a route asks for, as the table knows them.
func (l *live) keys() map[string]bool {
	keys := make(map[string]bool)
	if l != nil {
		for _, host := range l.route.Hosts {
			keys[hostKey(host)] = true
		}
	}
	return keys
}

// find is the route of the host itself, else that of its wildcard: "*.example.com" stands for any one label before
// ".example.com". The key is written to, and left as it was.
func (t *table) find(key []byte) *live {
	if claims := t.hosts.get(key); claims != nil {
		return claims[0]
	}
	dot := bytes.IndexByte(key, '.')
	if dot <= 0 {
		return nil
	}
	last := key[dot-1]
	key[dot-1] = '*'
	claims := t.hosts.get(key[dot-1:])
	key[dot-1] = last
	if claims == nil {
		return nil
	}
	return claims[0]
}

// lease is a target counted as in use by one request.
type lease struct {
	live *live
	*target
	slow bool // see ask
}

// answered takes the request out of the queue: its answer has begun, or there will be none.
func (l lease) answered() { l.queue(l.slow).Add(-1) }

// acquire borrows the next target for a request, none of skip. The error is a *refusal.
//
// The count goes up before the table is looked at again: either this call sees that the route was replaced and tries
// anew, or whoever replaced it sees the count. So after Set no request is taken for an old target, and Drain misses none.
func (r *Router) acquire(a *ask, skip []*target) (lease, *refusal) {
	for {
		table := r.table.Load()
		live := table.find(a.key)
		if live == nil {
			return lease{}, r.nobody()
		}
		if moved := live.route.redirect(a, r.httpsPort()); moved != nil {
			return lease{live: live}, moved
		}
		if !live.route.Serving {
			return lease{live: live}, errNoRelease
		}
		if live.route.Maintenance {
			return lease{live: live}, errMaintenance
		}
		target, err := live.pick(r.cfg.Queue, a, skip)
		if err != nil {
			return lease{live: live}, err
		}
		if now := r.table.Load(); now == table || now.find(a.key) == live {
			return lease{live, target, a.slow}, nil
		}
		lease{live, target, a.slow}.answered()
		target.release()
	}
}

// nobody refuses a request for a host that no app has, as far as is known.
func (r *Router) nobody() *refusal {
	if r.ignorant.Load() {
		return errNoTable
	}
	return errUnknownHost
}

// pick counts one more request on the target whose turn it is, or on the one that the visitor is kept on while that one can take it. Where none is
// healthy, those that have dropped a connection have their turns all the same: it may have been the request's fault.
func (l *live) pick(queue int, a *ask, skip []*target) (*target, *refusal) {
	if len(l.targets) == 0 {
		return nil, errNoContainer
	}
	if t := l.stuck(a.sticky); t != nil && t.usable(healthy, skip) && t.take(queue, a.slow) {
		return t, nil
	}
	first := l.turn.Add(1) - 1
	for _, worst := range []health{healthy, dropping} {
		full := false
		for i := range uint64(len(l.targets)) {
			t := l.targets[(first+i)%uint64(len(l.targets))]
			if !t.usable(worst, skip) {
				continue
			}
			if t.take(queue, a.slow) {
				return t, nil
			}
			full = true
		}
		if full {
			return nil, errQueueFull
		}
	}
	return nil, errNoneReachable
}

// stuck is the target with the id that a visitor's cookie says, if the route keeps visitors on one.
func (l *live) stuck(id []byte) *target {
	if !l.route.Sticky || id == nil {
		return nil
	}
	for _, t := range l.targets {
		if t.id == string(id) {
			return t
		}
	}
	return nil
}
