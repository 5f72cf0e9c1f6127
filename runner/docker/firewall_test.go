package docker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"boathook/runner/docker"
)

// bridgeOption names a network's bridge.
const bridgeOption = "com.docker.network.bridge.name"

// TestMachineOutOfReach has a container try all ways to this machine that there are, and to what clouds tell their
// machines. One in a network of its own, not boathook's, reaches every one of them.
func TestMachineOutOfReach(t *testing.T) {
	needRoot(t)
	c := connect(t)
	e, _ := scene(t, c)
	metadata := []string{"169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192"}
	lan := fmt.Sprintf("10.77.%d.77", number(t, 256))
	o := newOutside(t, append(metadata, lan)...)
	o.own(t, "169.254.170.2/32")
	here, there := greet(t, ":0"), o.greet(t)

	closed := append(targets(here, "gateway", usualAddress(t), dockerBridge(t, c), o.machine, "169.254.170.2"), targets(there, metadata...)...)
	closed = append(closed, packets(here, "gateway"))
	open := append(targets(there, o.addr, lan), packets(there, o.addr))
	plain(t, c, network.CreateOptions{}).reaches(t, append(closed, open...)...)
	app := fenced(e, "app")
	app.refused(t, closed...)
	app.reaches(t, open...)
}

// TestMachineOutOfReachIPv6 is the same in a network that has IPv6 as well, which the engine's own have not yet.
func TestMachineOutOfReachIPv6(t *testing.T) {
	needRoot(t)
	c := connect(t)
	e, namespace := scene(t, c)
	o := newOutside(t, "fd00:ec2::254")
	here, there := greet(t, ":0"), o.greet(t)
	n := netip.MustParseAddr(o.machine).As4()[3]
	machine, other := fmt.Sprintf("fdb0:a7::%x", n), fmt.Sprintf("fdb0:a7::%x", n+1)

	closed := append(targets(here, "gateway", "gateway6", machine), targets(there, "fd00:ec2::254")...)
	open := targets(there, other, o.addr)
	plain(t, c, dualStack(t)).reaches(t, append(closed, open...)...)

	ours := dualStack(t)
	ours.Labels = map[string]string{"boathook.namespace": namespace, "boathook.app": "app"}
	ours.Options = map[string]string{bridgeOption: bridge(t, c, e, "other")[:7] + "dual"}
	if _, err := c.NetworkCreate(t.Context(), namespace+".app", ours); err != nil {
		t.Fatal(err)
	}
	joined(t, e, "app")
	app := fenced(e, "app")
	app.refused(t, closed...)
	app.reaches(t, open...)
}

// TestNobodyComesIn dials a container from this machine, which is the router's way, and from another.
func TestNobodyComesIn(t *testing.T) {
	needRoot(t)
	e, _ := scene(t, connect(t))
	o := newOutside(t)
	addr := listening(t, e, "app")
	poll(t, "this machine reaches the container", func() bool { return dial(addr) == nil })
	o.in(t, func() error {
		if err := dial(addr); err == nil {
			t.Error("another machine reaches the container")
		} else if !errors.Is(err, syscall.EHOSTUNREACH) {
			t.Errorf("another machine is not refused by the fence: %v", err)
		}
		return nil
	})
}

func dial(addr string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	return c.Close()
}

// TestForwardedPortRefused forwards a port of this machine to another one, as is done with a container's published
// port. What a firewall sees then is a connection that leaves the machine.
func TestForwardedPortRefused(t *testing.T) {
	needRoot(t)
	c := connect(t)
	e, _ := scene(t, c)
	o := newOutside(t)
	there := o.greet(t)
	forwardPort(t, o.machine, o.addr)
	plain(t, c, network.CreateOptions{}).reaches(t, targets(there, o.machine)...)
	app := fenced(e, "app")
	app.refused(t, targets(there, o.machine)...)
	app.reaches(t, targets(there, o.addr)...)
}

// TestReach opens one address and port of this machine, and no other.
func TestReach(t *testing.T) {
	needRoot(t)
	c := connect(t)
	o := newOutside(t, "169.254.169.254")
	open, closed, there := greet(t, ":0"), greet(t, ":0"), o.greet(t)
	e := configured(t, docker.Config{Client: c, Reach: []netip.AddrPort{
		netip.AddrPortFrom(netip.MustParseAddr(o.machine), uint16(open)),
		netip.AddrPortFrom(netip.MustParseAddr("169.254.169.254"), uint16(there)),
	}})
	app := fenced(e, "app")
	app.reaches(t, append(targets(open, o.machine), targets(there, "169.254.169.254")...)...)
	app.refused(t, append(targets(closed, o.machine), targets(open, "gateway", usualAddress(t))...)...)
}

// TestFenceBridges fences in a network that is not the engine's.
func TestFenceBridges(t *testing.T) {
	needRoot(t)
	c := connect(t)
	o := newOutside(t, "169.254.169.254")
	here, there := greet(t, ":0"), o.greet(t)
	closed := append(targets(here, "gateway", o.machine), targets(there, "169.254.169.254")...)
	other := plain(t, c, network.CreateOptions{Options: map[string]string{bridgeOption: o.device + "b"}})
	other.reaches(t, closed...)
	e := configured(t, docker.Config{Client: c, FenceBridges: []string{o.device + "b"}})
	listening(t, e, "app")
	other.refused(t, closed...)
	other.reaches(t, targets(there, o.addr)...)
}

// TestJoin attaches a container that somebody else has made, as builds do.
func TestJoin(t *testing.T) {
	needRoot(t)
	c := connect(t)
	e, namespace := scene(t, c)
	o := newOutside(t)
	here, there := greet(t, ":0"), o.greet(t)
	name, leave, err := e.Join(t.Context(), "app")
	if err != nil {
		t.Fatal(err)
	}
	build := attached(c, name)
	build.refused(t, targets(here, "gateway", o.machine)...)
	build.reaches(t, targets(there, o.addr)...)
	if err := leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if hasNetwork(t, c, namespace+".app") {
		t.Error("the network is left")
	}
}

// listening starts a container that accepts connections, and returns its address.
func listening(t *testing.T, e *docker.Engine, app string) string {
	t.Helper()
	s := spec(app, "web", `httpd -f -p "$PORT"`)
	s.Port = true
	started, err := e.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	poll(t, "it listens", func() bool {
		conn, err := net.Dial("tcp", started[0].Addr)
		return err == nil && conn.Close() == nil
	})
	return started[0].Addr
}

// joined keeps an app's network until the test ends, and returns its name.
func joined(t *testing.T, e *docker.Engine, app string) string {
	t.Helper()
	name, leave, err := e.Join(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := leave(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return name
}

// bridge is the name of the bridge of an app's network.
func bridge(t *testing.T, c *client.Client, e *docker.Engine, app string) string {
	t.Helper()
	got, err := c.NetworkInspect(t.Context(), joined(t, e, app), network.InspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return got.Options[bridgeOption]
}

// dockerBridge is this machine's address in the network that containers are in by default.
func dockerBridge(t *testing.T, c *client.Client) string {
	t.Helper()
	got, err := c.NetworkInspect(t.Context(), "bridge", network.InspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	device, err := net.InterfaceByName(got.Options[bridgeOption])
	if err != nil {
		t.Fatal(err)
	}
	addrs, err := device.Addrs()
	if err != nil || len(addrs) == 0 {
		t.Fatalf("addresses %v, %v", addrs, err)
	}
	return netip.MustParsePrefix(addrs[0].String()).Addr().String()
}

func dualStack(t *testing.T) network.CreateOptions {
	t.Helper()
	yes := true
	return network.CreateOptions{EnableIPv6: &yes, IPAM: &network.IPAM{Config: []network.IPAMConfig{
		{Subnet: fmt.Sprintf("fdb0:b7:0:%x::/64", number(t, 1<<16))},
	}}}
}

func hasNetwork(t *testing.T, c *client.Client, name string) bool {
	t.Helper()
	_, err := c.NetworkInspect(t.Context(), name, network.InspectOptions{})
	if err != nil && !errdefs.IsNotFound(err) {
		t.Fatal(err)
	}
	return err == nil
}
