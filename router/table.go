package router

import (
	"bytes"
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
}

// makeLive prepares a route, taking over the targets of old that stay the same.
func (r *Router) makeLive(route Route, old *live) *live {
	next := &live{route: route}
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

// with returns the table with next in the place of its app's route, and next's hosts that belong to another app.
func (t *table) with(next *live) (_ *table, refused []string) {
	result := &table{t.hosts, t.apps.with(next.route.App, next)}
	prior := t.app(next.route.App)
	wanted := next.keys()
	for key := range wanted {
		claims := claim(t.hosts.get([]byte(key)), prior, next)
		result.hosts = result.hosts.with(key, claims)
		if claims[0] != next {
			refused = append(refused, key)
		}
	}
	result.hosts = t.withdraw(result.hosts, prior, wanted)
	slices.Sort(refused)
	return result, refused
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
}

// acquire borrows the next target for a request, none of skip. The error is a *refusal.
//
// The count goes up before the table is looked at again: either this call sees that the route was replaced and tries
// anew, or whoever replaced it sees the count. So after Set no request is taken for an old target, and Drain misses none.
func (r *Router) acquire(a *ask, skip []*target) (lease, *refusal) {
	for {
		table := r.table.Load()
		live := table.find(a.key)
		if live == nil {
			return lease{}, errUnknownHost
		}
		if moved := live.route.redirect(a); moved != nil {
			return lease{live: live}, moved
		}
		if !live.route.Serving {
			return lease{live: live}, errNoRelease
		}
		target, err := live.pick(r.cfg.Queue, a.sticky, skip)
		if err != nil {
			return lease{live: live}, err
		}
		if now := r.table.Load(); now == table || now.find(a.key) == live {
			return lease{live, target}, nil
		}
		target.answered()
		target.release()
	}
}

// pick counts one more request on the target whose turn it is, or on the one that the visitor is kept on while that one can take it.
func (l *live) pick(queue int, sticky []byte, skip []*target) (*target, *refusal) {
	if len(l.targets) == 0 {
		return nil, errNoContainer
	}
	if t := l.stuck(sticky); t != nil && t.usable(skip) && t.take(queue) {
		return t, nil
	}
	full, n := false, uint64(len(l.targets))
	first := l.turn.Add(1) - 1
	for i := range n {
		t := l.targets[(first+i)%n]
		if !t.usable(skip) {
			continue
		}
		if t.take(queue) {
			return t, nil
		}
		full = true
	}
	if full {
		return nil, errQueueFull
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
