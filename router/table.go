package router

import (
	"bytes"
	"maps"
	"slices"
	"sync/atomic"
)

// table is what is routed where. It is never changed once stored.
type table struct {
	hosts map[string]*live // by hostKey
	apps  map[string]*live // by name
}

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
	apps := maps.Clone(t.apps)
	if apps == nil {
		apps = make(map[string]*live)
	}
	apps[next.route.App] = next
	result := t.assign(apps)
	for _, host := range next.route.Hosts {
		if key := hostKey(host); result.hosts[key] != next {
			refused = append(refused, key)
		}
	}
	return result, refused
}

func (t *table) without(app string) *table {
	apps := maps.Clone(t.apps)
	delete(apps, app)
	return t.assign(apps)
}

// assign gives every host to an app that asks for it: to the one that has it in t, else to the first by name.
func (t *table) assign(apps map[string]*live) *table {
	hosts := make(map[string]*live, len(t.hosts))
	claim := func(wins func(host, app string) bool) {
		for _, app := range slices.Sorted(maps.Keys(apps)) {
			for _, host := range apps[app].route.Hosts {
				if key := hostKey(host); hosts[key] == nil && wins(key, app) {
					hosts[key] = apps[app]
				}
			}
		}
	}
	claim(func(host, app string) bool { had := t.hosts[host]; return had != nil && had.route.App == app })
	claim(func(string, string) bool { return true })
	return &table{hosts: hosts, apps: apps}
}

// find is the route of the host itself, else that of its wildcard: "*.example.com" stands for any one label before
// ".example.com". The key is written to, and left as it was.
func (t *table) find(key []byte) *live {
	if live := t.hosts[string(key)]; live != nil {
		return live
	}
	dot := bytes.IndexByte(key, '.')
	if dot <= 0 {
		return nil
	}
	last := key[dot-1]
	key[dot-1] = '*'
	live := t.hosts[string(key[dot-1:])]
	key[dot-1] = last
	return live
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
