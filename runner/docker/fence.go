package docker

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net"
	"net/netip"
	"strings"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
)

// fence is the firewall table that keeps the containers of one namespace away from the machine they run on. They
// may open connections
//
//   - within their own network,
//   - to the machine's resolvers, port 53, and to Config.Reach,
//   - to everything beyond the machine, private networks included, but for link-local addresses and those at which
//     clouds hand out a machine's identity,
//
// and to nothing else: not to the machine under any of its addresses, not to a port that another container
// publishes there, not to another app. Nobody but the machine itself opens a connection to them. What is refused
// is answered at once, as a client library that looks for a cloud at every start would otherwise wait for it.
//
// The rules know the networks by the prefix that the names of their bridges have in common, so that one table
// serves all apps and is the same after a restart. It stands while the namespace has a network, whether boathook
// runs or not, and is put up anew with a start of a container if somebody has changed the machine's rules, as that
// may have flushed it. The kernel does not keep it over a reboot: containers that the engine starts by itself are
// fenced in once boathook runs.
type fence struct {
	namespace string
	bridges   []string // names of further bridges that are fenced in
	reach     []netip.AddrPort
	dns       []string      // of the containers; none: those of the machine
	gate      chan struct{} // holds a token while the table is changed
	left      uint32        // generation of the kernel's rules with the table up; 0 if not known. Guarded by gate
	off       bool          // it cannot be put up here; set before anything is started
}

func newFence(cfg Config) *fence {
	return &fence{
		namespace: cfg.Namespace, bridges: cfg.FenceBridges, reach: cfg.Reach, dns: cfg.DNS,
		gate: make(chan struct{}, 1),
	}
}

// table is the name of the table, in the family inet.
func (f *fence) table() string { return "boathook-" + f.namespace }

// bridgePrefix begins the name of every bridge of the namespace: 7 of the 15 characters that the kernel takes. Two
// namespaces that share it share their rules, which does no harm.
func bridgePrefix(namespace string) string {
	hash := fnv.New32a()
	hash.Write([]byte(namespace))
	return fmt.Sprintf("bh%04x-", hash.Sum32()&0xffff)
}

// bridgeName is unique on the engine, as no two of its networks share a subnet.
func bridgeName(namespace string, subnet netip.Prefix) string {
	return fmt.Sprintf("%s%08x", bridgePrefix(namespace), be32(subnet.Addr().As4()))
}

// errNoFence says why the rules cannot be made. The containers run without them.
var errNoFence = errors.New("no firewall rules")

// open finds out whether the table can be made, and makes it if there are networks for it already. A table of an
// earlier time is removed if there are none.
func (f *fence) open(ctx context.Context, c *client.Client, networks bool) error {
	f.off = true
	if err := reachable(ctx, c); err != nil {
		return err
	}
	put := f.try
	if networks {
		put = f.put
	}
	err := put()
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: run boathook as root or with the capability CAP_NET_ADMIN: %w", errNoFence, err)
	}
	if err != nil {
		return fmt.Errorf("%w: the kernel does not take them: %w", errNoFence, err)
	}
	f.off = false
	return nil
}

// reachable tells whether the engine's bridges are in our own network namespace, where alone rules can be made.
func reachable(ctx context.Context, c *client.Client) error {
	if host := c.DaemonHost(); !strings.HasPrefix(host, "unix://") {
		return fmt.Errorf("%w: run boathook on the machine of the docker engine instead of through %s", errNoFence, host)
	}
	usual, err := c.NetworkInspect(ctx, "bridge", network.InspectOptions{})
	if isNotFound(err) {
		return nil // switched off in the engine's configuration
	}
	if err != nil {
		return wrap(ctx, "inspect the network bridge", err)
	}
	if name := usual.Options[bridgeOption]; name != "" {
		if _, err := net.InterfaceByName(name); err != nil {
			return fmt.Errorf("%w: the engine's bridge %s is in another network namespace: run boathook in that of the engine", errNoFence, name)
		}
	}
	return nil
}

// raise makes sure of the table.
func (f *fence) raise(ctx context.Context) error {
	return f.alone(ctx, f.ensure)
}

// lower removes the table unless a network is left. A start makes its network before it raises the fence, so that
// its network is either seen here or fenced in afterwards.
func (f *fence) lower(ctx context.Context, left func() (bool, error)) error {
	return f.alone(ctx, func() error {
		if left, err := left(); left || err != nil {
			return err
		}
		return f.remove()
	})
}

// alone changes the table while nobody else does.
func (f *fence) alone(ctx context.Context, change func() error) error {
	if f.off {
		return nil
	}
	select {
	case f.gate <- struct{}{}:
		defer func() { <-f.gate }()
	case <-ctx.Done():
		return fmt.Errorf("wait for the firewall: %w", ctx.Err())
	}
	if err := change(); err != nil {
		return fmt.Errorf("firewall rules of the apps: %w", err)
	}
	return nil
}
