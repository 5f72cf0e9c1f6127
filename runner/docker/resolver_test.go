package docker_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/client"
	"golang.org/x/net/dns/dnsmessage"

	"boathook/runner/docker"
)

// TestResolver has containers ask for names where they may not go otherwise: on this machine, and where some clouds
// have both a resolver and their metadata. The engine's name server in a container asks from inside.
func TestResolver(t *testing.T) {
	needRoot(t)
	c := connect(t)
	const metadata = "169.254.169.254"
	o := newOutside(t, metadata)
	resolve(t, net.JoinHostPort(o.machine, "53"))
	o.in(t, func() error {
		resolve(t, net.JoinHostPort(metadata, "53"))
		return nil
	})
	there := o.greet(t)
	for _, addr := range []string{o.machine, metadata} {
		app := fenced(configured(t, docker.Config{Client: c, DNS: []string{addr}}), "app")
		if out := app(t, "busybox nslookup some.example"); !strings.Contains(out, answer) {
			t.Errorf("resolver %s is not reached:\n%s", addr, out)
		}
	}
	other := fenced(configured(t, docker.Config{Client: c, DNS: []string{metadata}}), "app")
	other.refused(t, append(targets(53, o.machine), targets(there, metadata)...)...)
}

// TestOwnNetwork has containers of one app find each other by name, and hear what one of them says to all.
func TestOwnNetwork(t *testing.T) {
	c := connect(t)
	e, namespace := scene(t, c)
	addr := listening(t, e, "app")
	host, port, _ := strings.Cut(addr, ":")
	out := fenced(e, "app")(t, "busybox nslookup "+namespace+".app.1.web-1; nc -w 20 "+namespace+".app.1.web-1 "+port+" </dev/null && echo reached")
	if !strings.Contains(out, host) || !strings.Contains(out, "reached") {
		t.Errorf("a container does not find another one of its app by name:\n%s", out)
	}

	s := spec("app", "worker", "exec sleep 300")
	s.Replicas = 2
	started, err := e.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	listener := make(chan net.PacketConn, 1)
	inNetwork(t, networkOf(t, c, started[0].ID), func() error {
		l, err := net.ListenPacket("udp4", ":0")
		listener <- l
		return err
	})
	hears := <-listener
	inNetwork(t, networkOf(t, c, started[1].ID), func() error { return broadcast(hears.LocalAddr().(*net.UDPAddr).Port) })
	if err := hears.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := hears.ReadFrom(make([]byte, 100)); err != nil {
		t.Error(err)
	}
	if err := hears.Close(); err != nil {
		t.Error(err)
	}
}

// networkOf is the network namespace of a container.
func networkOf(t *testing.T, c *client.Client, id string) string {
	t.Helper()
	got, err := c.ContainerInspect(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("/proc/%d/ns/net", got.State.Pid)
}

func broadcast(port int) error {
	c, err := net.Dial("udp4", net.JoinHostPort("255.255.255.255", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	_, err = c.Write([]byte("hello"))
	return errors.Join(err, c.Close())
}

// answer is the address of every name that resolve is asked for.
const answer = "198.51.100.77"

// resolve answers questions about names at addr.
func resolve(t *testing.T, addr string) {
	t.Helper()
	l, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for buf := make([]byte, 1500); ; {
			n, from, err := l.ReadFrom(buf)
			if err != nil {
				return
			}
			if text, err := reply(buf[:n]); err != nil {
				t.Error(err)
			} else if _, err := l.WriteTo(text, from); err != nil {
				t.Error(err)
			}
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		tasks.Wait()
	})
}

func reply(question []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return nil, err
	}
	m.Response, m.Additionals = true, nil
	for _, q := range m.Questions {
		if q.Type == dnsmessage.TypeA {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1},
				Body:   &dnsmessage.AResource{A: netip.MustParseAddr(answer).As4()},
			})
		}
	}
	return m.Pack()
}
