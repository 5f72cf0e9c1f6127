package docker

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"

	"boathook/runner"
)

// bridgeOption names the bridge of a network.
const bridgeOption = "com.docker.network.bridge.name"

// networks gives every app its own bridge network while it has containers.
//
// The engine lets a network be removed under a container that is made but not yet started. A start therefore
// holds a lease from before its network is looked up until its containers run, and a network is dropped only
// when nobody holds a lease and no container of the app is left. One boathook a namespace is assumed. All of them
// are behind one fence.
type networks struct {
	engine       *Engine
	fence        *fence
	reservations *reservations

	mu   sync.Mutex // guards apps and the counters in it
	apps map[string]*appNetwork
}

// appNetwork is the traffic around one app's network; it exists while somebody is interested.
type appNetwork struct {
	gate   chan struct{} // holds a token while the network is looked up, made or dropped
	refs   int           // interested callers, leases included
	leases int           // starts under way
}

func newNetworks(e *Engine) *networks {
	return &networks{
		engine: e, fence: newFence(e.cfg), apps: map[string]*appNetwork{},
		reservations: &reservations{namespace: e.cfg.Namespace, log: e.log, held: map[string]bool{}},
	}
}

// open drops what networks an earlier boathook has left without a container, and puts up the fence. That it cannot
// be put up is told here and no more.
func (n *networks) open(ctx context.Context) error {
	found, err := n.find(ctx)
	if err != nil {
		return err
	}
	used, err := n.inhabited(ctx)
	if err != nil {
		return err
	}
	left := len(found)
	for _, f := range found {
		if used[f.Labels[labelApp]] {
			continue
		}
		if err := n.remove(ctx, f); err != nil {
			n.engine.log.Warn("network not removed", "network", f.Name, "err", err)
			continue
		}
		left--
	}
	err = n.fence.open(ctx, n.engine.client, left > 0)
	if errors.Is(err, errNoFence) {
		n.engine.log.Warn("apps can reach this machine's own ports and its cloud's metadata", "err", err)
		n.reservations.off = true
		return nil
	}
	if err != nil {
		return err
	}
	if err := n.reservations.open(func() (map[string]bool, error) { return n.containers(ctx) }); err != nil {
		n.engine.log.Warn("reservations of an earlier boathook not ended", "err", err)
	}
	return nil
}

// inhabited are the apps that have a container.
func (n *networks) inhabited(ctx context.Context) (map[string]bool, error) {
	all, err := n.engine.client.ContainerList(ctx, container.ListOptions{All: true, Filters: n.engine.selected(runner.Selector{})})
	apps := map[string]bool{}
	for _, c := range all {
		apps[c.Labels[labelApp]] = true
	}
	return apps, wrap(ctx, "list containers", err)
}

// containers are the short ids of all that there are.
func (n *networks) containers(ctx context.Context) (map[string]bool, error) {
	all, err := n.engine.client.ContainerList(ctx, container.ListOptions{All: true, Filters: n.engine.selected(runner.Selector{})})
	ids := map[string]bool{}
	for _, c := range all {
		ids[shortID.FindString(c.ID)] = true
	}
	return ids, wrap(ctx, "list containers", err)
}

// lease returns the name of the app's network, making it if need be. It stays until release is called.
func (n *networks) lease(ctx context.Context, app string) (name string, release func(), err error) {
	a, leave, err := n.enter(ctx, app)
	if err != nil {
		return "", nil, err
	}
	name, err = n.ensure(ctx, app)
	if err == nil {
		err = n.fence.raise(ctx)
	}
	if err != nil {
		leave()
		return "", nil, err
	}
	n.mu.Lock()
	a.refs++
	a.leases++
	n.mu.Unlock()
	leave()
	return name, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		a.leases--
		n.unref(app, a)
	}, nil
}

// drop removes the app's network if nothing needs it.
func (n *networks) drop(ctx context.Context, app string) error {
	a, leave, err := n.enter(ctx, app)
	if err != nil {
		return err
	}
	defer leave()
	n.mu.Lock()
	leased := a.leases > 0
	n.mu.Unlock()
	if leased {
		return nil
	}
	left, err := n.engine.client.ContainerList(ctx, container.ListOptions{All: true, Filters: n.engine.selected(runner.Selector{App: app})})
	if err != nil {
		return wrap(ctx, "list containers of "+app, err)
	}
	if len(left) > 0 {
		return nil
	}
	found, err := n.find(ctx, label(labelApp, app))
	if err != nil {
		return err
	}
	ctx, cancel := detached(ctx) // a network that goes, by whomever, must not leave the fence behind
	defer cancel()
	for _, f := range found {
		if err := n.remove(ctx, f); err != nil {
			return err
		}
	}
	return n.fence.lower(ctx, func() (bool, error) {
		left, err := n.find(ctx)
		return len(left) > 0, err
	})
}

func (n *networks) remove(ctx context.Context, s network.Summary) error {
	err := n.engine.client.NetworkRemove(ctx, s.ID)
	if isNotFound(err) {
		return nil
	}
	return wrap(ctx, "remove network "+s.Name, err)
}

// enter waits for the app's gate.
func (n *networks) enter(ctx context.Context, app string) (a *appNetwork, leave func(), err error) {
	n.mu.Lock()
	a = n.apps[app]
	if a == nil {
		a = &appNetwork{gate: make(chan struct{}, 1)}
		n.apps[app] = a
	}
	a.refs++
	n.mu.Unlock()

	unref := func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.unref(app, a)
	}
	select {
	case a.gate <- struct{}{}:
		return a, func() { <-a.gate; unref() }, nil
	case <-ctx.Done():
		unref()
		return nil, nil, fmt.Errorf("wait for the network of %s: %w", app, ctx.Err())
	}
}

// unref is called with mu held.
func (n *networks) unref(app string, a *appNetwork) {
	if a.refs--; a.refs == 0 {
		delete(n.apps, app)
	}
}

// find lists the networks of this namespace.
func (n *networks) find(ctx context.Context, more ...filters.KeyValuePair) ([]network.Summary, error) {
	args := filters.NewArgs(append(more, label(labelNamespace, n.engine.cfg.Namespace))...)
	found, err := n.engine.client.NetworkList(ctx, network.ListOptions{Filters: args})
	return found, wrap(ctx, "list networks", err)
}

// ensure is called through the app's gate.
func (n *networks) ensure(ctx context.Context, app string) (string, error) {
	found, err := n.find(ctx, label(labelApp, app))
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return found[0].Name, nil
	}
	return n.create(ctx, app)
}

// create tries subnets until the engine takes one; others make networks at the same time.
func (n *networks) create(ctx context.Context, app string) (string, error) {
	cfg := n.engine.cfg
	name := cfg.Namespace + "." + app
	used, err := n.used(ctx)
	if err != nil {
		return "", err
	}
	for subnet := range subnets(cfg.Pool, cfg.SubnetBits, name) {
		if overlaps(subnet, used) {
			continue
		}
		err := n.createIn(ctx, app, name, subnet)
		if err == nil {
			return name, nil
		}
		// The engine has no code of its own for this: "Pool overlaps with other one on this address space".
		if !strings.Contains(err.Error(), "overlap") {
			return "", err
		}
	}
	return "", fmt.Errorf("network for %s: all of %s is in use: configure a larger pool", app, cfg.Pool)
}

// createIn does not stop with ctx, or nobody would know whether the network was made.
func (n *networks) createIn(ctx context.Context, app, name string, subnet netip.Prefix) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	_, err := n.engine.client.NetworkCreate(ctx, name, network.CreateOptions{
		Driver:  "bridge",
		IPAM:    &network.IPAM{Driver: "default", Config: []network.IPAMConfig{{Subnet: subnet.String()}}},
		Options: map[string]string{bridgeOption: bridgeName(n.engine.cfg.Namespace, subnet)},
		Labels:  map[string]string{labelNamespace: n.engine.cfg.Namespace, labelApp: app},
	})
	return wrap(ctx, "create network "+name, err)
}

// used are the subnets of all networks of the engine, whoever made them.
func (n *networks) used(ctx context.Context) ([]netip.Prefix, error) {
	all, err := n.engine.client.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return nil, wrap(ctx, "list networks", err)
	}
	var used []netip.Prefix
	for _, one := range all {
		for _, c := range one.IPAM.Config {
			if p, err := netip.ParsePrefix(c.Subnet); err == nil { // other drivers put other things there
				used = append(used, p)
			}
		}
	}
	return used, nil
}
