package receive_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gossh "golang.org/x/crypto/ssh"

	"boathook/receive"
)

func TestOpenSSH(t *testing.T) {
	h := start(t, nil)
	for _, test := range []struct {
		name, key string
		args      []string
		stdin     string
		stdout    string
		stderr    string // contained
		code      int
	}{
		{name: "greeting", key: "ann", args: []string{"-T", "git@127.0.0.1"}, stdout: "You've successfully authenticated on boathook, but there is no shell access\n"},
		{name: "command", key: "bob", args: []string{"git@127.0.0.1", "whoami"}, stdout: "bob false 0"},
		{name: "exit code and stderr", key: "ann", args: []string{"git@127.0.0.1", "fail"}, stderr: "no", code: 7},
		{name: "stdin", key: "ann", args: []string{"git@127.0.0.1", "cat"}, stdin: "hello", stdout: "hello"},
		{name: "push", key: "ann", args: []string{"git@127.0.0.1", "git-receive-pack 'my-app.git'"}, stdout: "push my-app by ann", code: 3},
		{name: "clone", key: "ann", args: []string{"git@127.0.0.1", "git-upload-pack '/my-app'"}, stdout: "clone my-app by ann"},
		{name: "archive", key: "ann", args: []string{"git@127.0.0.1", "git-upload-archive 'my-app'"}, stderr: "git archive", code: 128},
		{name: "bad path", key: "ann", args: []string{"git@127.0.0.1", "git-receive-pack '../../etc'"}, stderr: "not an app's address", code: 128},
		{name: "panic", key: "ann", args: []string{"git@127.0.0.1", "panic"}, stderr: "mistake", code: 1},
		{name: "wrong user", key: "ann", args: []string{"root@127.0.0.1", "whoami"}, stderr: "Permission denied (publickey)", code: 255},
		{name: "unknown key", key: "stranger", args: []string{"git@127.0.0.1", "whoami"}, stderr: "Permission denied (publickey)", code: 255},
		{name: "sftp", key: "ann", args: []string{"-s", "git@127.0.0.1", "sftp"}, stderr: "no sftp on boathook", code: 1},
		{name: "env ignored", key: "ann", args: []string{"-o", "SetEnv=GIT_PROTOCOL=version=2", "git@127.0.0.1", "whoami"}, stdout: "ann false 0"},
		{name: "old kex", key: "ann", args: []string{"-o", "KexAlgorithms=diffie-hellman-group14-sha1", "git@127.0.0.1", "whoami"}, stderr: "no matching key exchange method", code: 255},
		{name: "old mac", key: "ann", args: []string{"-o", "Ciphers=aes128-ctr", "-o", "MACs=hmac-sha1", "git@127.0.0.1", "whoami"}, stderr: "no matching MAC", code: 255},
		{name: "forwarding", key: "ann", args: []string{"-W", "127.0.0.1:1", "git@127.0.0.1"}, stderr: "administratively prohibited", code: 255},
		{name: "remote forwarding", key: "ann", args: []string{"-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1", "git@127.0.0.1", "whoami"}, stderr: "remote port forwarding failed", code: 255},
	} {
		t.Run(test.name, func(t *testing.T) {
			cmd := h.ssh(test.key, test.args...)
			var stdout, stderr bytes.Buffer
			cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(test.stdin), &stdout, &stderr
			err := cmd.Run()
			if cmd.ProcessState == nil {
				t.Fatal(err)
			}
			if code := cmd.ProcessState.ExitCode(); code != test.code || stdout.String() != test.stdout || !strings.Contains(stderr.String(), test.stderr) {
				t.Errorf("exit %d, stdout %q, stderr %q; want %d, %q, %q", code, &stdout, &stderr, test.code, test.stdout, test.stderr)
			}
		})
	}
}

// CVE-2024-45337: the key that signed decides, not one that was offered before it and accepted.
func TestOfferedKeyIsNotTheIdentity(t *testing.T) {
	h := start(t, nil)
	public, err := os.ReadFile(filepath.Join(h.dir, "ann.pub"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.dir, "ann-public"), public, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := h.ssh("ann-public", "-v", "-i", filepath.Join(h.dir, "bob"), "git@127.0.0.1", "whoami")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || string(out) != "bob false 0" {
		t.Errorf("identity %q, %v; want bob's", out, err)
	}
	if n := strings.Count(stderr.String(), "Server accepts key"); n != 2 {
		t.Errorf("%d keys were accepted when offered, want both:\n%s", n, &stderr)
	}
}

func TestRefusedLogins(t *testing.T) {
	h := start(t, nil)
	oldRSA, err := gossh.NewSignerWithAlgorithms(rsaSigner(t, 2048), []string{gossh.KeyAlgoRSA})
	if err != nil {
		t.Fatal(err)
	}
	for name, auth := range map[string]gossh.AuthMethod{
		"none":     nil,
		"password": gossh.Password("x"),
		"keyboard": gossh.KeyboardInteractive(func(string, string, []string, []bool) ([]string, error) { return nil, nil }),
		"sha-1":    gossh.PublicKeys(oldRSA),
	} {
		var methods []gossh.AuthMethod
		if auth != nil {
			methods = append(methods, auth)
		}
		if c, err := h.dial("git", methods...); err == nil {
			c.Close()
			t.Errorf("%s: was let in", name)
		}
	}
}

func TestRSAKeys(t *testing.T) {
	long, short := rsaSigner(t, 2048), rsaSigner(t, 1024)
	h := start(t, func(c *receive.Config) {
		c.Keys = keyring{string(long.PublicKey().Marshal()): "long", string(short.PublicKey().Marshal()): "short"}
	})
	c, err := h.dial("git", gossh.PublicKeys(long))
	if err != nil {
		t.Fatalf("2048 bits: %v", err)
	}
	c.Close()
	if c, err := h.dial("git", gossh.PublicKeys(short)); err == nil {
		c.Close()
		t.Error("a key of 1024 bits was let in")
	}
}

func rsaSigner(t *testing.T, bits int) gossh.AlgorithmSigner {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0") // crypto/rsa refuses to make the short key otherwise
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := gossh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer.(gossh.AlgorithmSigner)
}

func TestLoginGrace(t *testing.T) {
	h := start(t, func(c *receive.Config) { c.LoginGrace = 50 * time.Millisecond })
	raw, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.Copy(io.Discard, raw); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("a client that says nothing stays connected")
	}
}

func TestIdleAndKeepAlive(t *testing.T) {
	t.Parallel() // it waits
	h := start(t, func(c *receive.Config) { c.Idle, c.KeepAlive = 18*time.Second, 1500*time.Millisecond })
	busy, idle := h.login("ann"), h.login("bob")
	out := startWait(t, busy)
	if err := idle.Wait(); err == nil {
		t.Error("idle connection: no error")
	}
	// The silent session has outlived a whole idle time-out by now, and three times what a client gets that does not answer.
	if len(h.ended) > 0 {
		t.Errorf("the session that answers has ended: %v", h.cause())
	}
	busy.Close()
	if err := h.cause(); err == nil || errors.Is(err, receive.ErrShutdown) {
		t.Errorf("cause %v, want the client's going away", err)
	}
	io.Copy(io.Discard, out)
}

// startWait starts the command "wait" and returns what it writes after its first line.
func startWait(t *testing.T, c *gossh.Client) io.Reader {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	pipe, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("wait"); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(pipe)
	if line, err := out.ReadString('\n'); line != "waiting\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return out
}

func TestConnectionLimits(t *testing.T) {
	h := start(t, func(c *receive.Config) { c.MaxConnectionsPerIP, c.MaxSessionsPerConnection = 2, 3 })
	first, _ := h.login("ann"), h.login("bob")
	if c, err := h.dial("git", gossh.PublicKeys(h.keys["ann"])); err == nil {
		c.Close()
		t.Error("a third connection was let in")
	}
	for range 3 {
		startWait(t, first)
	}
	if _, err := first.NewSession(); err == nil {
		t.Error("a fourth session was let in")
	}
	first.Close()
	for range 3 {
		h.cause()
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		c, err := h.dial("git", gossh.PublicKeys(h.keys["ann"]))
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the place was not freed: %v", err)
		}
	}
}

func TestChannelCloseEndsContext(t *testing.T) {
	h := start(t, nil)
	c := h.login("ann")
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("wait"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := h.cause(); !errors.Is(err, context.Canceled) {
		t.Errorf("cause %v: the client would be told", err)
	}
	startWait(t, c) // the connection lives on
}

func TestShutdown(t *testing.T) {
	h := start(t, nil)
	out := startWait(t, h.login("ann"))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := h.server.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.cause(); !errors.Is(err, receive.ErrShutdown) {
		t.Errorf("cause %v", err)
	}
	if text, err := io.ReadAll(out); string(text) != "bye" {
		t.Errorf("%q, %v; want the session's last words", text, err)
	}
}

// As many connections as may be are open together, each with a running session; one more is refused.
func TestTwoHundredConnections(t *testing.T) {
	h := start(t, func(c *receive.Config) { c.MaxConnectionsPerIP = 300 })
	var clients sync.WaitGroup
	var waiting [200]io.Reader
	var open [200]*gossh.Client
	for i := range open {
		clients.Go(func() {
			user := []string{"ann", "bob"}[i%2]
			c, err := h.dial("git", gossh.PublicKeys(h.keys[user]))
			if err != nil {
				t.Errorf("%d: %v", i, err)
				return
			}
			open[i] = c
			s, err := c.NewSession()
			if err != nil {
				t.Errorf("%d: %v", i, err)
				return
			}
			if out, err := s.Output("whoami"); err != nil || string(out) != user+" false 0" {
				t.Errorf("%d: %q, %v", i, out, err)
			}
		})
	}
	clients.Wait()
	if t.Failed() {
		return
	}
	if c, err := h.dial("git", gossh.PublicKeys(h.keys["ann"])); err == nil {
		c.Close()
		t.Error("one more than MaxConnections was let in")
	}
	for i, c := range open {
		waiting[i] = startWait(t, c)
	}
	for i, c := range open {
		c.Close()
		h.cause()
		io.Copy(io.Discard, waiting[i])
	}
}

func TestHostKeysPersist(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "host")
	read := func() map[string]string {
		if _, err := receive.New(receive.Config{HostKeyDir: dir}); err != nil {
			t.Fatal(err)
		}
		texts := map[string]string{}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			info, err := e.Info()
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", path, info.Mode(), err)
			}
			texts[path] = string(text)
		}
		return texts
	}
	first := read()
	if diff := cmp.Diff(first, read()); len(first) != 2 || diff != "" {
		t.Errorf("%d keys; the second start changed them:\n%s", len(first), diff)
	}
	for path := range first {
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := receive.New(receive.Config{HostKeyDir: dir}); err == nil {
		t.Error("a key that others can read was accepted")
	}
}

func TestAdminSocket(t *testing.T) {
	h := start(t, nil)
	info, err := os.Stat(h.socket)
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	if l, err := receive.ListenAdmin(h.socket); !errors.Is(err, receive.ErrInUse) {
		t.Errorf("a second listener: %v, %v", l, err)
	}
	raw, err := net.Dial("unix", h.socket)
	if err != nil {
		t.Fatal(err)
	}
	conn, channels, requests, err := gossh.NewClientConn(raw, "", &gossh.ClientConfig{User: "git", HostKeyCallback: gossh.InsecureIgnoreHostKey()})
	if err != nil {
		t.Fatal(err)
	}
	c := gossh.NewClient(conn, channels, requests)
	defer c.Close()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := s.Output("whoami"); err != nil || string(out) != " true 0" {
		t.Errorf("%q, %v", out, err)
	}
}

// TestSubsystems: what the operator may ask for as a subsystem nobody else gets.
func TestSubsystems(t *testing.T) {
	h := start(t, func(cfg *receive.Config) {
		cfg.Subsystems = map[string]func(context.Context, receive.Session) int{"echo": func(_ context.Context, s receive.Session) int {
			io.Copy(s.Stdout(), s.Stdin())
			return 5
		}}
	})
	ask := func(network, address, user, name string) (string, string) {
		raw, err := net.Dial(network, address)
		if err != nil {
			t.Fatal(err)
		}
		cfg := &gossh.ClientConfig{User: "git", HostKeyCallback: gossh.InsecureIgnoreHostKey()}
		if user != "" {
			cfg.Auth = []gossh.AuthMethod{gossh.PublicKeys(h.keys[user])}
		}
		conn, channels, requests, err := gossh.NewClientConn(raw, "", cfg)
		if err != nil {
			t.Fatal(err)
		}
		c := gossh.NewClient(conn, channels, requests)
		defer c.Close()
		s, err := c.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		in, err := s.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		complaint, err := s.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.RequestSubsystem(name); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(in, "hello")
		in.Close()
		answer, err := io.ReadAll(out)
		if err != nil {
			t.Error(err)
		}
		words, err := io.ReadAll(complaint)
		if err != nil {
			t.Error(err)
		}
		return string(answer), string(words)
	}
	for _, row := range []struct{ network, address, user, name, answer, complaint string }{
		{"unix", h.socket, "", "echo", "hello", ""},
		{"unix", h.socket, "", "sftp", "", "There is no sftp on boathook"},
		{"tcp", h.addr, "ann", "echo", "", "There is no echo on boathook"},
	} {
		if answer, complaint := ask(row.network, row.address, row.user, row.name); answer != row.answer || !strings.HasPrefix(complaint, row.complaint) || row.complaint == "" && complaint != "" {
			t.Errorf("%s as %q: %q, %q", row.name, row.user, answer, complaint)
		}
	}
}

// A command that ends at once must not close its channel before the client has read that it was started.
func TestQuickCommands(t *testing.T) {
	h := start(t, nil)
	raw, err := net.Dial("unix", h.socket)
	if err != nil {
		t.Fatal(err)
	}
	conn, channels, requests, err := gossh.NewClientConn(raw, h.socket, &gossh.ClientConfig{User: "git", HostKeyCallback: gossh.InsecureIgnoreHostKey()})
	if err != nil {
		t.Fatal(err)
	}
	client := gossh.NewClient(conn, channels, requests)
	defer client.Close()
	for i := range 2000 {
		session, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		if err := session.Run("nothing"); err != nil {
			t.Fatalf("command %d: %v", i, err)
		}
	}
}

func TestListenAdmin(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	l, err := receive.ListenAdmin(stale)
	if err != nil {
		t.Fatalf("a stale socket: %v", err)
	}
	l.Close()
	if _, err := os.Lstat(stale); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := receive.ListenAdmin(file); err == nil {
		l.Close()
		t.Error("a file was replaced by the socket")
	}
}

// With ControlMaster the connection outlives a push that is interrupted: only the channel ends.
func TestControlMaster(t *testing.T) {
	h := start(t, nil)
	control := "ControlPath=" + filepath.Join(h.dir, "cm")
	master := h.ssh("ann", "-o", control, "-M", "-N", "git@127.0.0.1")
	if err := master.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { master.Process.Kill(); master.Wait() }()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(h.dir, "cm")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no master")
		}
	}
	slave := h.ssh("ann", "-o", control, "git@127.0.0.1", "write")
	pipe, err := slave.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := slave.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(pipe).ReadString('\n'); err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	slave.Process.Kill()
	slave.Wait()
	h.cause()
	if out, err := h.ssh("ann", "-o", control, "git@127.0.0.1", "whoami").Output(); err != nil || string(out) != "ann false 0" {
		t.Errorf("the master's connection: %q, %v", out, err)
	}
}
