package docker_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"boathook/runner"
	"boathook/runner/docker"
)

// TestFenceComesAndGoes follows the tables of two boathooks from the first container to the last.
func TestFenceComesAndGoes(t *testing.T) {
	needRoot(t)
	c := connect(t)
	one, first := scene(t, c)
	two, second := scene(t, c)
	stands := func(when string, wantFirst, wantSecond bool) {
		t.Helper()
		if f, s := hasTable(t, "boathook-"+first), hasTable(t, "boathook-"+second); f != wantFirst || s != wantSecond {
			t.Errorf("%s the tables of the two: %t, %t; want %t, %t", when, f, s, wantFirst, wantSecond)
		}
	}
	here := greet(t, ":0")
	stands("before anything runs", false, false)
	listening(t, one, "app")
	stands("after the first start", true, false)
	run(t, one, spec("other", "postdeploy", "exit 0"))
	stands("after one of two networks has gone", true, false)
	listening(t, two, "app")
	stands("after both have started", true, true)
	if err := two.Remove(t.Context(), runner.Selector{}, 0); err != nil {
		t.Fatal(err)
	}
	stands("after the second has removed all it had", true, false)
	fenced(one, "app").refused(t, targets(here, "gateway")...)

	again, err := docker.New(t.Context(), docker.Config{Client: c, Namespace: first})
	if err != nil {
		t.Fatal(err)
	}
	stands("after a restart of the first", true, false)
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	stands("after it has stopped", true, false)
	dropTable(t, "boathook-"+first)
	fenced(one, "app").refused(t, targets(here, "gateway")...)
	stands("after somebody flushed the firewall and a container was started", true, false)
	if err := one.Remove(t.Context(), runner.Selector{App: "app"}, 0); err != nil {
		t.Fatal(err)
	}
	stands("after the last container", false, false)

	name, leave, err := one.Join(t.Context(), "app")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.NetworkRemove(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	stands("after somebody removed the last network", true, false)
	if err := leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	stands("after boathook noticed", false, false)
}

// TestLeftNetwork is what a boathook leaves that died between the making of a network and that of a container.
func TestLeftNetwork(t *testing.T) {
	needRoot(t)
	c := connect(t)
	_, namespace := scene(t, c)
	labels := map[string]string{"boathook.namespace": namespace, "boathook.app": "app"}
	if _, err := c.NetworkCreate(t.Context(), namespace+".app", network.CreateOptions{Labels: labels}); err != nil {
		t.Fatal(err)
	}
	nft := &nftables.Conn{}
	nft.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "boathook-" + namespace})
	if err := nft.Flush(); err != nil {
		t.Fatal(err)
	}
	e, err := docker.New(t.Context(), docker.Config{Client: c, Namespace: namespace})
	if err != nil {
		t.Fatal(err)
	}
	if hasNetwork(t, c, namespace+".app") || hasTable(t, "boathook-"+namespace) {
		t.Error("a restart leaves the network or the table")
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// TestNoFence opens an engine where no rules can be made. Its containers run all the same.
func TestNoFence(t *testing.T) {
	needRoot(t)
	c := connect(t)
	for _, test := range []struct {
		name   string
		open   func(*testing.T, func(*client.Client) error)
		advice string
	}{
		{"another machine", overTCP(c), "run boathook on the machine of the docker engine"},
		{"another network namespace", inEmptyNetwork(c), "run boathook in that of the engine"},
		{"no capability", withoutCapability(c), "run boathook as root or with the capability CAP_NET_ADMIN"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var said bytes.Buffer
			namespace := "test-" + strings.ToLower(rand.Text()[:12])
			var e *docker.Engine
			test.open(t, func(c *client.Client) (err error) {
				e, err = docker.New(t.Context(), docker.Config{Client: c, Namespace: namespace, Log: slog.New(slog.NewTextHandler(&said, nil))})
				return err
			})
			removeAfter(t, e)
			listening(t, e, "app")
			if hasTable(t, "boathook-"+namespace) {
				t.Error("there is a table")
			}
			if got := said.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, test.advice) || !strings.Contains(got, "level=WARN") {
				t.Errorf("log, want one warning with %q:\n%s", test.advice, got)
			}
		})
	}
}

// overTCP passes what an engine elsewhere is asked on to the one here.
func overTCP(c *client.Client) func(*testing.T, func(*client.Client) error) {
	return func(t *testing.T, f func(*client.Client) error) {
		t.Helper()
		if err := f(through(t, passTo(t, c))); err != nil {
			t.Fatal(err)
		}
	}
}

// passTo passes requests on to an engine.
func passTo(t *testing.T, c *client.Client) http.Handler {
	t.Helper()
	kind, addr, err := parseHost(c.DaemonHost())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "docker"})
	proxy.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, kind, addr)
	}}
	return proxy
}

// through returns a client of an engine that answers like engine.
func through(t *testing.T, engine http.Handler) *client.Client {
	t.Helper()
	server := httptest.NewServer(engine)
	t.Cleanup(server.Close)
	c, err := client.NewClientWithOpts(client.WithHost("tcp://"+server.Listener.Addr().String()), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func inEmptyNetwork(c *client.Client) func(*testing.T, func(*client.Client) error) {
	return func(t *testing.T, f func(*client.Client) error) {
		newOutside(t).in(t, func() error { return f(c) })
	}
}

// withoutCapability takes one right of root away from a thread.
func withoutCapability(c *client.Client) func(*testing.T, func(*client.Client) error) {
	return func(t *testing.T, f func(*client.Client) error) {
		onThread(t, func() error {
			header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var sets [2]unix.CapUserData
			if err := unix.Capget(&header, &sets[0]); err != nil {
				return err
			}
			sets[0].Effective &^= 1 << unix.CAP_NET_ADMIN
			if err := unix.Capset(&header, &sets[0]); err != nil {
				return err
			}
			return f(c)
		})
	}
}

func dropTable(t *testing.T, name string) {
	t.Helper()
	nft := &nftables.Conn{}
	nft.DelTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: name})
	if err := nft.Flush(); err != nil {
		t.Fatal(err)
	}
}
