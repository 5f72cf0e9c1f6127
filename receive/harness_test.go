package receive_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"boathook/receive"
)

// keyring is a KeyStore in memory: wire format → user.
type keyring map[string]string

func (k keyring) Identify(_ context.Context, wire []byte, _ net.Addr) (receive.Identity, error) {
	user, ok := k[string(wire)]
	if !ok {
		return receive.Identity{}, receive.ErrUnknownKey
	}
	return receive.Identity{User: user}, nil
}

// script answers sessions; ended receives the cause of every "wait" command's end.
type script struct{ ended chan error }

func (script) ReceivePack(_ context.Context, who receive.Identity, app string, s receive.Session) int {
	fmt.Fprintf(s.Stdout(), "push %s by %s", app, who.User)
	return 3
}

func (script) UploadPack(_ context.Context, who receive.Identity, app string, s receive.Session) int {
	fmt.Fprintf(s.Stdout(), "clone %s by %s", app, who.User)
	return 0
}

func (x script) Command(ctx context.Context, who receive.Identity, line string, s receive.Session) int {
	switch line {
	case "whoami":
		fmt.Fprintf(s.Stdout(), "%s %v %d", who.User, who.Operator, s.Width())
	case "nothing":
	case "cat":
		io.Copy(s.Stdout(), s.Stdin())
	case "fail":
		fmt.Fprint(s.Stderr(), "no")
		return 7
	case "panic":
		panic("on purpose")
	case "wait":
		fmt.Fprintln(s.Stdout(), "waiting")
		<-ctx.Done()
		fmt.Fprint(s.Stdout(), "bye")
		x.ended <- context.Cause(ctx)
		return 9
	case "write": // a push's keepalive: a failed write is how a client that went away shows
		for ctx.Err() == nil {
			if _, err := fmt.Fprintln(s.Stdout(), "…"); err != nil {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		<-ctx.Done() // a moment after the write that failed
		x.ended <- context.Cause(ctx)
	default:
		fmt.Fprintf(s.Stdout(), "command %q", line)
	}
	return 0
}

type harness struct {
	t      *testing.T
	dir    string
	addr   string
	socket string
	server *receive.Server
	ended  chan error
	keys   map[string]gossh.Signer // of the users ann and bob
}

// start runs a server, on TCP and on an admin socket, that knows the keys of ann and bob.
func start(t *testing.T, adjust func(*receive.Config)) *harness {
	t.Helper()
	h := &harness{t: t, dir: t.TempDir(), ended: make(chan error, 8), keys: map[string]gossh.Signer{}}
	ring := keyring{}
	for _, user := range []string{"ann", "bob", "stranger"} {
		signer := writeKey(t, filepath.Join(h.dir, user))
		h.keys[user] = signer
		if user != "stranger" {
			ring[string(signer.PublicKey().Marshal())] = user
		}
	}
	cfg := receive.Config{HostKeyDir: filepath.Join(h.dir, "host"), Keys: ring, Sessions: script{h.ended}}
	if adjust != nil {
		adjust(&cfg)
	}
	var err error
	if h.server, err = receive.New(cfg); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = l.Addr().String()
	h.socket = filepath.Join(h.dir, "admin.sock")
	admin, err := receive.ListenAdmin(h.socket)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := h.server.Serve(context.Background(), l); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	serving.Go(func() {
		if err := h.server.ServeAdmin(context.Background(), admin); err != nil {
			t.Errorf("ServeAdmin: %v", err)
		}
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.server.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		serving.Wait()
	})
	return h
}

func writeKey(t *testing.T, path string) gossh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := gossh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	signer, err := gossh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".pub", gossh.MarshalAuthorizedKey(signer.PublicKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	return signer
}

// dial logs in with x/crypto's client.
func (h *harness) dial(user string, auth ...gossh.AuthMethod) (*gossh.Client, error) {
	return gossh.Dial("tcp", h.addr, &gossh.ClientConfig{User: user, Auth: auth, HostKeyCallback: gossh.InsecureIgnoreHostKey()})
}

func (h *harness) login(user string) *gossh.Client {
	h.t.Helper()
	c, err := h.dial("git", gossh.PublicKeys(h.keys[user]))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	return c
}

// ssh is the OpenSSH client with user's key and nothing of this machine's configuration.
func (h *harness) ssh(user string, args ...string) *exec.Cmd {
	h.t.Helper()
	program, err := exec.LookPath("ssh")
	if err != nil {
		h.t.Skip("no OpenSSH client on this machine")
	}
	_, port, _ := net.SplitHostPort(h.addr)
	cmd := exec.CommandContext(h.t.Context(), program, append([]string{"-F", "/dev/null", "-p", port, "-i", filepath.Join(h.dir, user),
		"-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new",
		"-o", "UserKnownHostsFile=" + filepath.Join(h.dir, "known_hosts")}, args...)...)
	cmd.Env = []string{"HOME=" + h.dir, "PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	return cmd
}

func (h *harness) cause() error {
	h.t.Helper()
	select {
	case err := <-h.ended:
		return err
	case <-time.After(20 * time.Second):
		h.t.Fatal("the session's context did not end")
		return nil
	}
}
