package receive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"boathook/receive"
)

// people is a KeyStore whose answers change.
type people struct {
	receive.KeyStore
	mu      sync.Mutex
	refused map[string]error // by user
	until   map[string]time.Time
}

func (p *people) Identify(ctx context.Context, wire []byte, remote net.Addr) (receive.Identity, error) {
	who, err := p.KeyStore.Identify(ctx, wire, remote)
	p.mu.Lock()
	defer p.mu.Unlock()
	if refused := p.refused[who.User]; refused != nil {
		return receive.Identity{}, refused
	}
	who.Until = p.until[who.User]
	return who, err
}

func (p *people) refuse(user string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused[user] = err
}

func startPeople(t *testing.T, adjust func(*receive.Config)) (*harness, *people) {
	t.Helper()
	p := &people{refused: map[string]error{}, until: map[string]time.Time{}}
	return start(t, func(c *receive.Config) {
		p.KeyStore, c.Keys = c.Keys, p
		if adjust != nil {
			adjust(c)
		}
	}), p
}

// Whoever holds a key that may not log in is told why. Whoever has only seen it learns nothing.
func TestHolderIsToldWhy(t *testing.T) {
	const why = "the key laptop of ann has expired at 2026-01-01 00:00:00"
	told := make(chan string, 8)
	h, people := startPeople(t, func(c *receive.Config) {
		c.Refused = func(_ net.Addr, fingerprint string, why error) { told <- fingerprint + " " + why.Error() }
	})
	people.refuse("ann", receive.NoLogin(why))
	public, err := os.ReadFile(filepath.Join(h.dir, "ann.pub"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.dir, "seen"), public, 0o600); err != nil {
		t.Fatal(err)
	}
	for key, holds := range map[string]bool{"ann": true, "seen": false, "stranger": false} {
		var stderr bytes.Buffer
		cmd := h.ssh(key, "git@127.0.0.1", "whoami")
		cmd.Stderr = &stderr
		if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 255 {
			t.Errorf("%s: %v", key, err)
		}
		if strings.Contains(stderr.String(), why) != holds || !strings.Contains(stderr.String(), "Permission denied (publickey)") {
			t.Errorf("%s: %s", key, &stderr)
		}
	}
	want := gossh.FingerprintSHA256(h.keys["ann"].PublicKey()) + " refused: " + why
	for deadline := time.After(20 * time.Second); ; {
		select {
		case got := <-told:
			if got == want {
				return
			}
		case <-deadline:
			t.Fatal("the server was not told of the expired key")
		}
	}
}

// Whoever may not log in any more loses the connection, an idle one at once and one that works when its sessions have said goodbye;
// others go on.
func TestRecheck(t *testing.T) {
	h, people := startPeople(t, nil)
	idle, busy, other := h.login("ann"), h.login("ann"), h.login("bob")
	out := startWait(t, busy)
	startWait(t, other)
	h.server.Recheck(t.Context())
	people.refuse("ann", receive.ErrUnknownKey)
	h.server.Recheck(t.Context())

	if err := h.cause(); !errors.Is(err, receive.ErrEnded) {
		t.Errorf("cause %v", err)
	}
	if rest, err := io.ReadAll(out); err != nil || string(rest) != "bye" {
		t.Errorf("%q, %v", rest, err)
	}
	for name, client := range map[string]*gossh.Client{"idle": idle, "busy": busy} {
		ended := make(chan struct{})
		go func() { client.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Errorf("the %s connection goes on", name)
		}
	}
	if _, err := other.NewSession(); err != nil {
		t.Errorf("another's connection: %v", err)
	}
	if _, err := h.dial("git", gossh.PublicKeys(h.keys["ann"])); err == nil {
		t.Error("logged in again")
	}
}

// A lookup that fails ends nobody's session.
func TestRecheckWithoutAnAnswer(t *testing.T) {
	h, people := startPeople(t, nil)
	client := h.login("ann")
	people.refuse("ann", errors.New("disk on fire"))
	h.server.Recheck(t.Context())
	if _, err := client.NewSession(); err == nil {
		t.Error("a session without knowing whose")
	}
	people.refuse("ann", nil)
	if _, err := client.NewSession(); err != nil {
		t.Errorf("the connection has ended: %v", err)
	}
}

// Each session of a connection that another ssh holds open asks again.
func TestSessionAfterTheEnd(t *testing.T) {
	h, people := startPeople(t, nil)
	client := h.login("ann")
	people.refuse("ann", receive.NoLogin("expired"))
	if _, err := client.NewSession(); err == nil || !strings.Contains(err.Error(), "your access has ended") {
		t.Errorf("%v", err)
	}
	client.Wait() // the connection ends, too
}

func TestLoginEndsWithItsTime(t *testing.T) {
	t.Parallel() // it waits
	h, people := startPeople(t, nil)
	people.until["ann"] = time.Now().Add(8 * time.Second) // of which the login takes a part
	startWait(t, h.login("ann"))
	if err := h.cause(); !errors.Is(err, receive.ErrEnded) {
		t.Errorf("cause %v", err)
	}
}

// A login is told of once, with the key that signed; an offer is none.
func TestLoginsAreTold(t *testing.T) {
	logins := make(chan string, 8)
	h := start(t, func(c *receive.Config) {
		c.LoggedIn = func(who receive.Identity, remote net.Addr) { logins <- who.User + " " + who.Fingerprint }
	})
	c, err := h.dial("git", gossh.PublicKeys(h.keys["stranger"], h.keys["ann"]))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	startWait(t, c)
	want := "ann " + gossh.FingerprintSHA256(h.keys["ann"].PublicKey())
	if got := <-logins; got != want || len(logins) > 0 {
		t.Errorf("told %q and %d more, want %q", got, len(logins), want)
	}
}
