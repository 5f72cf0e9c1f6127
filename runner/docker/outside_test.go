package docker_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// needRoot skips where the kernel's firewall and network namespaces are not ours to change.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: firewall rules and network namespaces are made")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skipf("needs the program ip (Debian package iproute2): %v", err)
	}
}

// outside is another machine: a network namespace at the other end of a cable. Packets between it and a container
// are routed by this machine.
type outside struct {
	name    string // of the namespace
	device  string // our end of the cable
	machine string // our own address there
	addr    string // its address, that of a machine on the internet
}

// newOutside plugs the cable in and gives the other machine more addresses, of either family.
func newOutside(t *testing.T, more ...string) *outside {
	t.Helper()
	tag := strings.ToLower(rand.Text()[:8])
	n := 4 * number(t, 64)
	o := &outside{
		name: "bhtest-" + tag, device: "bht-" + tag,
		machine: fmt.Sprintf("203.0.113.%d", n+1), addr: fmt.Sprintf("203.0.113.%d", n+2),
	}
	ip := func(args string, values ...any) {
		command(t, "/", "ip", strings.Fields(fmt.Sprintf(args, values...))...)
	}
	ip("netns add %s", o.name)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		for _, args := range [][]string{{"link", "del", o.device}, {"netns", "del", o.name}} {
			if err := exec.CommandContext(ctx, "ip", args...).Run(); err != nil {
				t.Error(err)
			}
		}
	})
	ip("link add %s type veth peer name peer netns %s", o.device, o.name)
	ip("addr add %s/30 dev %s", o.machine, o.device)
	ip("-6 addr add fdb0:a7::%x/126 dev %s nodad", n+1, o.device)
	ip("link set %s up", o.device)
	ip("-n %s link set lo up", o.name)
	ip("-n %s addr add %s/30 dev peer", o.name, o.addr)
	ip("-n %s -6 addr add fdb0:a7::%x/126 dev peer nodad", o.name, n+2)
	ip("-n %s link set peer up", o.name)
	ip("-n %s route add default via %s", o.name, o.machine)
	ip("-n %s -6 route add default via fdb0:a7::%x", o.name, n+1)
	for _, addr := range more {
		via, bits := o.addr, 32
		if strings.Contains(addr, ":") {
			via, bits = fmt.Sprintf("fdb0:a7::%x", n+2), 128
		}
		ip("-n %s addr add %s/%d dev peer", o.name, addr, bits)
		// Another run of these tests may have the same route, with another metric.
		ip("route add %s/%d via %s metric %d", addr, bits, via, 1000+number(t, 1<<20))
	}
	return o
}

// own gives this machine one more address.
func (o *outside) own(t *testing.T, addr string) {
	t.Helper()
	command(t, "/", "ip", "addr", "add", addr, "dev", o.device)
}

// in runs f in the other machine.
func (o *outside) in(t *testing.T, f func() error) {
	t.Helper()
	inNetwork(t, "/run/netns/"+o.name, f)
}

// inNetwork runs f in a network namespace, on a thread that is thrown away.
func inNetwork(t *testing.T, namespace string, f func() error) {
	t.Helper()
	onThread(t, func() error {
		file, err := os.Open(namespace)
		if err != nil {
			return err
		}
		if err := errors.Join(unix.Setns(int(file.Fd()), unix.CLONE_NEWNET), file.Close()); err != nil {
			return err
		}
		return f()
	})
}

// onThread runs f on a thread that nothing else runs on, then or later.
func onThread(t *testing.T, f func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked
		done <- f()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// greet listens on all addresses of the other machine and returns the port.
func (o *outside) greet(t *testing.T) (port int) {
	t.Helper()
	o.in(t, func() error {
		port = greet(t, ":0")
		return nil
	})
	return port
}

// greet says hello to whoever connects, or sends something, and returns the port, that of TCP being that of UDP.
func greet(t *testing.T, addr string) (port int) {
	t.Helper()
	stream, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	packets, err := net.ListenPacket("udp", stream.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for {
			c, err := stream.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "hello\n") // who has hung up is not greeted
			_ = c.Close()
		}
	})
	tasks.Go(func() {
		for buf := make([]byte, 100); ; {
			_, from, err := packets.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = packets.WriteTo([]byte("hello\n"), from)
		}
	})
	t.Cleanup(func() {
		if err := errors.Join(stream.Close(), packets.Close()); err != nil {
			t.Error(err)
		}
		tasks.Wait()
	})
	return stream.Addr().(*net.TCPAddr).Port
}

func number(t *testing.T, below int64) int64 {
	t.Helper()
	n, err := rand.Int(rand.Reader, big.NewInt(below))
	if err != nil {
		t.Fatal(err)
	}
	return n.Int64()
}

// usualAddress is the one from which this machine reaches others.
func usualAddress(t *testing.T) string {
	t.Helper()
	c, err := net.Dial("udp", "198.51.100.1:9") // sends nothing
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(c.LocalAddr().String()).Addr()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return addr.String()
}
