package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	gossh "golang.org/x/crypto/ssh"
)

// appName is the app that the measurements push to.
const appName = "lab-app"

// platform is a boathook of its own, as a process, in a temporary directory, with one user and one app.
type platform struct {
	dir    string // temporary; the caller may put things here
	binary string
	ssh    string // address of the git server
	http   string // address of the router
	host   string // the app's host name
	server *exec.Cmd
}

var servesLine = regexp.MustCompile(`boathook serves.* ssh=(\S+) http=(\S+)`)

// startPlatform builds boathook and starts it with additional flags.
func startPlatform(ctx context.Context, flags ...string) (p *platform, err error) {
	p = &platform{host: appName + ".localhost"}
	if p.dir, err = os.MkdirTemp("", "boathook-lab-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.stop())
		}
	}()
	p.binary = filepath.Join(p.dir, "boathook")
	if err := command(ctx, p.dir, nil, "go", "build", "-C", moduleDir(), "-o", p.binary, "./cmd/boathook"); err != nil {
		return p, err
	}
	if err := p.serve(ctx, flags); err != nil {
		return p, err
	}
	public, err := p.newKey()
	if err != nil {
		return p, err
	}
	for _, step := range []struct {
		stdin string
		args  []string
	}{
		{"", []string{"users-add", "--admin", "lab"}},
		{public, []string{"keys-add", "--user", "lab", "key"}},
		{"", []string{"create", "--owner", "lab", appName}},
	} {
		if err := p.manage(ctx, step.stdin, step.args...); err != nil {
			return p, err
		}
	}
	return p, nil
}

// moduleDir is the root of the module, from wherever the lab is run.
func moduleDir() string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "."
	}
	return strings.TrimSpace(string(out))
}

// serve starts the server and waits until it says where it is.
func (p *platform) serve(ctx context.Context, flags []string) error {
	args := append([]string{"serve", "-data", p.data(), "-ssh-addr", "127.0.0.1:0", "-http-addr", "127.0.0.1:0",
		"-namespace", filepath.Base(p.dir), "-buildpack", "none", "-stack-image", "tiny"}, flags...)
	p.server = exec.Command(p.binary, args...)
	log, err := p.server.StderrPipe()
	if err != nil {
		return err
	}
	if err := p.server.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(log)
	var seen []string
	for lines.Scan() {
		seen = append(seen, lines.Text())
		if m := servesLine.FindStringSubmatch(lines.Text()); m != nil {
			p.ssh, p.http = m[1], m[2]
			go func() { // ends with the server
				for lines.Scan() {
				}
			}()
			return nil
		}
	}
	return fmt.Errorf("boathook serve did not start:\n%s", strings.Join(seen, "\n"))
}

func (p *platform) data() string { return filepath.Join(p.dir, "data") }

func (p *platform) newKey() (public string, err error) {
	pub, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	block, err := gossh.MarshalPrivateKey(private, "lab")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(p.dir, "key"), pem.EncodeToMemory(block), 0o600); err != nil {
		return "", err
	}
	key, err := gossh.NewPublicKey(pub)
	if err != nil {
		return "", err
	}
	return string(gossh.MarshalAuthorizedKey(key)), nil
}

// manage runs a management command.
func (p *platform) manage(ctx context.Context, stdin string, args ...string) error {
	_, err := p.query(ctx, stdin, args...)
	return err
}

// query runs a management command and returns its output.
func (p *platform) query(ctx context.Context, stdin string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, p.binary, args...)
	cmd.Env = append(os.Environ(), "BOATHOOK_DATA="+p.data())
	cmd.Stdin = strings.NewReader(stdin)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("boathook %v: %w\n%s", args, err, complaint.String())
	}
	return out.Bytes(), nil
}

// gitEnv is the environment of git with the lab's key.
func (p *platform) gitEnv() []string {
	return append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Lab", "GIT_AUTHOR_EMAIL=lab@example.com", "GIT_COMMITTER_NAME=Lab", "GIT_COMMITTER_EMAIL=lab@example.com",
		fmt.Sprintf("GIT_SSH_COMMAND=ssh -F /dev/null -i %s/key -o IdentitiesOnly=yes -o UserKnownHostsFile=%s/known_hosts -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR", p.dir, p.dir))
}

func (p *platform) remote() string { return fmt.Sprintf("ssh://git@%s/%s.git", p.ssh, appName) }

// git runs git in dir.
func (p *platform) git(ctx context.Context, dir string, args ...string) error {
	return command(ctx, dir, p.gitEnv(), "git", args...)
}

// newRepo makes a repository with files committed and the remote set.
func (p *platform) newRepo(ctx context.Context, name string, files map[string][]byte) (dir string, err error) {
	dir = filepath.Join(p.dir, name)
	for file, content := range files {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, content, 0o755); err != nil {
			return "", err
		}
	}
	for _, args := range [][]string{{"init", "-q", "-b", "master"}, {"remote", "add", "scalingo", p.remote()}, {"add", "."}, {"commit", "-q", "-m", "first"}} {
		if err := p.git(ctx, dir, args...); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// stop destroys the app, ends the server and removes the directory.
func (p *platform) stop() error {
	var errs []error
	if p.server != nil && p.server.Process != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if p.ssh != "" {
			errs = append(errs, p.manage(ctx, "", "destroy", appName, "--force"))
		}
		errs = append(errs, p.server.Process.Signal(syscall.SIGTERM))
		if err := p.server.Wait(); err != nil {
			errs = append(errs, fmt.Errorf("boathook serve: %w", err))
		}
	}
	return errors.Join(append(errs, os.RemoveAll(p.dir))...)
}

// command runs a program and returns its output with an error.
func command(ctx context.Context, dir string, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %v: %w\n%s", name, args, err, out.String())
	}
	return nil
}
