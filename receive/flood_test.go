package receive_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"boathook/receive"
)

// counting is a KeyStore that counts how often it is asked.
type counting struct {
	receive.KeyStore
	asked atomic.Int64
}

func (c *counting) Identify(ctx context.Context, wire []byte, remote net.Addr) (receive.Identity, error) {
	c.asked.Add(1)
	return c.KeyStore.Identify(ctx, wire, remote)
}

// A client that offers one key after the other is cut off at AuthAttempts.
func TestAuthAttempts(t *testing.T) {
	var keys counting
	h := start(t, func(c *receive.Config) { keys.KeyStore = c.Keys; c.Keys = &keys; c.AuthAttempts = 3 })
	signers := make([]gossh.Signer, 20)
	for i := range signers {
		signers[i] = writeKey(t, h.dir+"/flood")
	}
	signers = append(signers, h.keys["ann"])
	if c, err := h.dial("git", gossh.PublicKeys(signers...)); err == nil {
		c.Close()
		t.Error("let in behind 20 wrong keys")
	}
	if n := keys.asked.Load(); n != 3 {
		t.Errorf("%d keys were looked up, want 3", n)
	}
	if c, err := h.dial("git", gossh.PublicKeys(signers[19], h.keys["ann"])); err != nil {
		t.Errorf("one wrong key before the right one: %v", err)
	} else {
		c.Close()
	}
}

// Connections that never log in keep out neither other addresses nor the operator, and free their places.
func TestConnectionFlood(t *testing.T) {
	h := start(t, func(c *receive.Config) { c.MaxConnectionsPerIP = 20; c.LoginGrace = 20 * time.Second })
	var flood []net.Conn
	for range 100 {
		raw, err := net.Dial("tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		flood = append(flood, raw)
	}
	greeted := 0
	for _, raw := range flood {
		raw.SetReadDeadline(time.Now().Add(20 * time.Second))
		if line, err := bufio.NewReader(raw).ReadString('\n'); strings.HasPrefix(line, "SSH-2.0-boathook") {
			greeted++
		} else if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("a connection is neither greeted nor closed")
		}
	}
	if greeted != 20 {
		t.Errorf("%d connections were greeted, want 20", greeted)
	}
	if c, err := h.dial("git", gossh.PublicKeys(h.keys["ann"])); err == nil {
		c.Close()
		t.Error("one more from the same address was let in")
	}
	other := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	raw, err := other.Dial("tcp", h.addr)
	if err != nil {
		t.Skipf("this machine has no second address: %v", err)
	}
	conn, _, _, err := gossh.NewClientConn(raw, h.addr, &gossh.ClientConfig{User: "git",
		Auth: []gossh.AuthMethod{gossh.PublicKeys(h.keys["ann"])}, HostKeyCallback: gossh.InsecureIgnoreHostKey()})
	if err != nil {
		t.Fatalf("another address: %v", err)
	}
	conn.Close()
	if raw, err = net.Dial("unix", h.socket); err != nil {
		t.Fatalf("the admin socket: %v", err)
	}
	raw.Close()
	for _, raw := range flood {
		raw.Close()
	}
	poll(t, "the places are free", func() bool {
		c, err := h.dial("git", gossh.PublicKeys(h.keys["ann"]))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// poll tries until it works.
func poll(t *testing.T, what string, works func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(20 * time.Second); !works(); {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("never: %s", what)
		}
	}
}

// drip sends text a byte at a time, over and over, until the server closes the connection.
func drip(raw net.Conn, text string) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i = (i + 1) % len(text) {
		<-tick.C
		if _, err := raw.Write([]byte{text[i]}); err != nil {
			return
		}
	}
}

// A client that drips its handshake does not move the deadline of its login.
func TestSlowHandshake(t *testing.T) {
	for name, text := range map[string]string{"banner": "x", "key exchange": "SSH-2.0-slow\r\n\x00\x00\x80\x00"} {
		t.Run(name, func(t *testing.T) {
			h := start(t, func(c *receive.Config) { c.LoginGrace = 100 * time.Millisecond })
			raw, err := net.Dial("tcp", h.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			raw.SetDeadline(time.Now().Add(20 * time.Second))
			var dripping sync.WaitGroup
			defer dripping.Wait()
			defer raw.Close()
			dripping.Go(func() { drip(raw, text) })
			if _, err := io.Copy(io.Discard, raw); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("stays connected")
			}
		})
	}
}

// frozen is a connection whose client can be made to stop reading the socket, as a laptop does that is closed.
type frozen struct {
	net.Conn
	stop <-chan struct{} // closed: read no more
	end  <-chan struct{} // closed: fail
}

func (f frozen) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	select {
	case <-f.stop:
		<-f.end
		return 0, io.EOF
	default:
		return n, err
	}
}

// A client that takes nothing off its socket while a session prints loses its connection, and the session its context.
func TestClientStopsReading(t *testing.T) {
	h := start(t, func(c *receive.Config) { c.KeepAlive = 2 * time.Second }) // a client gets four times as long to log in and answer
	raw, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	stop, end := make(chan struct{}), make(chan struct{})
	conn, channels, requests, err := gossh.NewClientConn(frozen{raw, stop, end}, h.addr, &gossh.ClientConfig{User: "git",
		Auth: []gossh.AuthMethod{gossh.PublicKeys(h.keys["ann"])}, HostKeyCallback: gossh.InsecureIgnoreHostKey()})
	if err != nil {
		t.Fatal(err)
	}
	client := gossh.NewClient(conn, channels, requests)
	defer client.Close()
	defer close(end)
	s, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("write"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	close(stop)
	if err := h.cause(); err == nil || errors.Is(err, receive.ErrShutdown) {
		t.Errorf("cause %v, want the client's going away", err)
	}
	// The next client is served.
	startWait(t, h.login("bob"))
}

// What no shell sees can have no meaning to one: the line arrives as it is, and an app's name is nothing but that.
func TestHostileLines(t *testing.T) {
	h := start(t, nil)
	c := h.login("ann")
	longest := "env-set my-app V=" + strings.Repeat("\U0001f600", 32768) // one value, of characters as long as there are
	for line, want := range map[string]string{
		"apps; $(id) `id` | cat > /tmp/x && \x00\n": "command \"apps; $(id) `id` | cat > /tmp/x && \\x00\\n\"",
		"git-receive-pack '../../etc'":              "not an app's address",
		"git-receive-pack 'my-app\n'":               `\n`,
		"git-receive-pack 'my-app\x00'":             `\x00`,
		"git-receive-pack 'my-app\x1b]0;x\a'":       `\x1b]0;x`,
		"git-receive-pack 'my-\u0430pp\u202e'":      `\u202e`,
		"git-receive-pack '$(id)'":                  "$(id)",
		longest:                                     strings.Repeat("\U0001f600", 32768) + `"`,
		strings.Repeat("x", 160<<10+1):              "a command has at most 163,840 bytes",
	} {
		s, err := c.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.CombinedOutput(line)
		if !strings.Contains(string(out), want) || strings.ContainsAny(string(out), "\x00\x1b\a\u202e") {
			t.Errorf("%.60q: %q, %v; want %q", line, out, err, want)
		}
		var exit *gossh.ExitError
		if strings.HasPrefix(line, "git") && (!errors.As(err, &exit) || exit.ExitStatus() != 128) {
			t.Errorf("%q: %v, want exit status 128", line, err)
		}
	}
}
