package docker_test

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/docker/docker/client"

	"boathook/runner"
	"boathook/runner/docker"
)

func TestUnavailable(t *testing.T) {
	c, err := client.NewClientWithOpts(client.WithHost("unix://" + filepath.Join(t.TempDir(), "none.sock")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := docker.New(t.Context(), docker.Config{Client: c}); !errors.Is(err, runner.ErrUnavailable) {
		t.Errorf("error %v, want one that wraps ErrUnavailable", err)
	}
}

// TestWatchSurvivesOutage cuts every connection to the engine and changes something meanwhile.
func TestWatchSurvivesOutage(t *testing.T) {
	direct := connect(t)
	network, addr, err := parseHost(direct.DaemonHost())
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, network, addr)
	proxied, err := client.NewClientWithOpts(client.WithHost("unix://"+p.path), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	e, name := scene(t, direct)
	behind, err := docker.New(t.Context(), docker.Config{Client: proxied, Namespace: name})
	if err != nil {
		t.Fatal(err)
	}
	snapshots, err := behind.Watch(t.Context(), runner.Selector{})
	if err != nil {
		t.Fatal(err)
	}
	if first := <-snapshots; len(first) != 0 {
		t.Fatalf("first snapshot %+v", first)
	}
	p.cut()
	if _, err := e.Start(t.Context(), spec("watched", "web", "exec sleep 300")); err != nil {
		t.Fatal(err)
	}
	for snapshot := range snapshots {
		if len(snapshot) == 1 && snapshot[0].Phase == runner.Running {
			break
		}
	}
	if err := errors.Join(behind.Close(), proxied.Close()); err != nil {
		t.Error(err)
	}
	for range snapshots {
		// Close has ended the watch.
	}
}

func parseHost(host string) (network, addr string, err error) {
	u, err := client.ParseHostURL(host)
	if err != nil {
		return "", "", err
	}
	if u.Scheme == "unix" {
		return "unix", u.Host + u.Path, nil
	}
	return "tcp", u.Host, nil
}

// proxy passes connections on until they are cut.
type proxy struct {
	path  string
	mu    sync.Mutex // guards conns
	conns []net.Conn
}

func newProxy(t *testing.T, network, addr string) *proxy {
	t.Helper()
	p := &proxy{path: filepath.Join(t.TempDir(), "engine.sock")}
	l, err := net.Listen("unix", p.path)
	if err != nil {
		t.Fatal(err)
	}
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial(network, addr)
			if err != nil {
				t.Error(err)
				_ = in.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, in, out)
			p.mu.Unlock()
			pass := func(to, from net.Conn) {
				_, _ = io.Copy(to, from) // ends when cut
				_ = to.Close()
			}
			tasks.Go(func() { pass(in, out) })
			tasks.Go(func() { pass(out, in) })
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		p.cut()
		tasks.Wait()
	})
	return p
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close() // closed already where the other side went first
	}
	p.conns = nil
}
