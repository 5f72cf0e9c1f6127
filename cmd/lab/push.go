package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"boathook/receive"
	"boathook/receive/gitpack"
)

// runPush measures pushes of one small commit, in turn to boathook's SSH server with a deployment of no effort and to OpenSSH's sshd with
// git receive-pack: whole client process, same key, same client.
func runPush(ctx context.Context, args []string, out io.Writer) (_ map[string]any, _ []string, err error) {
	fs := flag.NewFlagSet("lab push", flag.ContinueOnError)
	rounds := fs.Int("rounds", 9, "pushes of each kind")
	if err := fs.Parse(args); err != nil {
		return nil, nil, errUsage
	}
	sshd, err := exec.LookPath("sshd")
	if err != nil {
		sshd = "/usr/sbin/sshd"
	}
	if _, err := os.Stat(sshd); err != nil {
		return nil, nil, errors.New("lab push compares with OpenSSH's sshd, which is not installed: apt-get install openssh-server")
	}
	dir, err := os.MkdirTemp("", "boathook-lab-")
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	p := &platform{dir: dir}
	public, err := p.newKey()
	if err != nil {
		return nil, nil, err
	}
	stopOurs, err := p.startDoor(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, stopOurs()) }()
	theirs, stopTheirs, err := startSSHD(ctx, sshd, dir, public)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, stopTheirs()) }()

	work, err := p.newRepo(ctx, "work", map[string][]byte{"file": []byte("0")})
	if err != nil {
		return nil, nil, err
	}
	target := filepath.Join(dir, "target.git")
	if err := errors.Join(p.git(ctx, dir, "init", "-q", "--bare", target),
		p.git(ctx, work, "remote", "add", "sshd", "ssh://"+theirs+target)); err != nil {
		return nil, nil, err
	}
	var ours, others []time.Duration
	for round := -1; round < *rounds; round++ { // the first round is not counted
		if err := p.git(ctx, work, "commit", "-q", "--allow-empty", "-m", strconv.Itoa(round)); err != nil {
			return nil, nil, err
		}
		for _, kind := range []struct {
			remote string
			series *[]time.Duration
		}{{"scalingo", &ours}, {"sshd", &others}} {
			begin := time.Now()
			if err := p.git(ctx, work, "push", "-q", kind.remote, "master"); err != nil {
				return nil, nil, err
			}
			if round >= 0 {
				*kind.series = append(*kind.series, time.Since(begin))
			}
		}
	}
	printPairs(out, "boathook", "sshd", ours, others)
	return map[string]any{"ratio": medianRatio(ours, others), "boathook_ms": ms(median(ours)), "sshd_ms": ms(median(others)), "rounds": *rounds}, nil, nil
}

// anyone lets every key in: what is measured is the way, not the door.
type anyone struct{}

func (anyone) Identify(_ context.Context, wire []byte, _ net.Addr) (receive.Identity, error) {
	key, err := gossh.ParsePublicKey(wire)
	if err != nil {
		return receive.Identity{}, err
	}
	return receive.Identity{User: "lab", Fingerprint: gossh.FingerprintSHA256(key)}, nil
}

// pushOnly serves pushes.
type pushOnly struct{ repos *gitpack.Repos }

func (s pushOnly) ReceivePack(ctx context.Context, _ receive.Identity, app string, session receive.Session) int {
	return s.repos.ReceivePack(ctx, app, session.Stdin(), session.Stdout(), session.Stderr(), accept{})
}

func (pushOnly) UploadPack(context.Context, receive.Identity, string, receive.Session) int { return 1 }

func (pushOnly) Command(context.Context, receive.Identity, string, receive.Session) int { return 2 }

// startDoor serves the SSH side of boathook in this process.
func (p *platform) startDoor(ctx context.Context) (stop func() error, err error) {
	repos, err := openRepositories(filepath.Join(p.dir, "repositories"))
	if err == nil {
		err = repos.Create(ctx, appName)
	}
	if err != nil {
		return nil, err
	}
	server, err := receive.New(receive.Config{HostKeyDir: filepath.Join(p.dir, "host-keys"), Keys: anyone{}, Sessions: pushOnly{repos}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.ssh = listener.Addr().String()
	var serving sync.WaitGroup
	var served error
	serving.Go(func() { served = server.Serve(ctx, listener) })
	return func() error {
		err := server.Shutdown(context.WithoutCancel(ctx))
		serving.Wait()
		if served != nil && !errors.Is(served, net.ErrClosed) {
			err = errors.Join(err, served)
		}
		return err
	}, nil
}

// startSSHD runs OpenSSH's server on a free loopback port for the current user and returns USER@HOST:PORT.
func startSSHD(ctx context.Context, sshd, dir, public string) (addr string, stop func() error, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	hostPort := listener.Addr().String()
	_, port, err := net.SplitHostPort(hostPort)
	if err = errors.Join(err, listener.Close()); err != nil {
		return "", nil, err
	}
	authorized, hostKey := filepath.Join(dir, "authorized_keys"), filepath.Join(dir, "sshd_host_key")
	if err := os.WriteFile(authorized, []byte(public), 0o600); err != nil {
		return "", nil, err
	}
	if err := command(ctx, dir, nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", hostKey); err != nil {
		return "", nil, err
	}
	if os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // sshd's privilege separation directory
			return "", nil, err
		}
	}
	cmd := exec.Command(sshd, "-D", "-e", "-f", "/dev/null", "-h", hostKey, "-p", port,
		"-o", "ListenAddress=127.0.0.1", "-o", "AuthorizedKeysFile="+authorized, "-o", "StrictModes=no", "-o", "PidFile=none", "-o", "PermitRootLogin=yes")
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() error {
		err := cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // ends by our signal
		return err
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := net.Dial("tcp", hostPort)
		if err == nil {
			user := os.Getenv("USER")
			if user == "" {
				user = "root"
			}
			return fmt.Sprintf("%s@%s", user, hostPort), stop, conn.Close()
		}
		if time.Now().After(deadline) {
			return "", nil, errors.Join(err, stop())
		}
		time.Sleep(20 * time.Millisecond)
	}
}
