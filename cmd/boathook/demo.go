package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// demoApp is the name of the demo's app.
const demoApp = "my-app"

// demo is `boathook demo`: a server in a temporary directory, a real git push that goes live, and one whose hook
// fails. With -once it ends after that: 0 only if all of it was seen.
func demo(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("boathook demo", flag.ContinueOnError)
	fs.SetOutput(stderr)
	engine := fs.String("engine", "auto", "docker, local, or auto: docker if an engine answers, else local")
	once := fs.Bool("once", false, "end after the tour instead of serving until Ctrl-C")
	verbose := fs.Bool("v", false, "show the server's log")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	d := &tour{out: stdout, once: *once, log: slog.New(slog.DiscardHandler)}
	if *verbose {
		d.log = slog.New(slog.NewTextHandler(stderr, nil))
	}
	err := d.run(ctx, *engine)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "boathook: stopped")
	default:
		fmt.Fprintln(stderr, "boathook:", err)
	}
	return 1
}

// tour is the demo under way.
type tour struct {
	out  io.Writer
	log  *slog.Logger
	once bool

	dir    string // everything is in here
	server *server
	env    []string // of git, ssh and the shell
}

// run takes the tour from the empty directory to the end, and removes all of it.
func (t *tour) run(ctx context.Context, engine string) (err error) {
	t.title("Looking for git, ssh and Go")
	if err := programs("git", "ssh", "go"); err != nil {
		return err
	}
	if t.dir, err = os.MkdirTemp("", "boathook-demo-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(t.dir)) }()

	t.title("Starting boathook in " + t.dir)
	stop, err := t.serve(ctx, engine)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	for _, step := range []func(context.Context) error{t.prepare, t.firstPush, t.failingPush} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	t.next()
	if !t.once {
		<-ctx.Done()
	}
	return nil
}

func (t *tour) title(text string) { fmt.Fprintf(t.out, "\n\x1b[1m# %s\x1b[0m\n", text) }

// programs tells in one sentence what is missing on this machine.
func programs(names ...string) error {
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%s is needed and not on the PATH: install it and try again", name)
		}
	}
	return nil
}

// serve starts the server on free loopback ports. stop destroys the app and ends the server.
func (t *tour) serve(ctx context.Context, engine string) (stop func() error, err error) {
	cfg, err := parseConfig([]string{
		"-data", filepath.Join(t.dir, "data"), "-ssh-addr", "127.0.0.1:0", "-http-addr", "127.0.0.1:0",
		"-engine", engine, "-buildpack", "none", "-stack-image", "tiny", "-stop-time", "5s",
		"-namespace", filepath.Base(t.dir),
	}, io.Discard)
	if err != nil {
		return nil, err
	}
	if t.server, err = open(ctx, cfg, t.log); err != nil {
		return nil, err
	}
	fmt.Fprintf(t.out, "engine: %s   ssh: %s   http: %s\n", t.server.engine.Name(), t.server.sshListener.Addr(), t.server.httpListener.Addr())
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- t.server.run(ctx) }()
	return func() error {
		t.title("Cleaning up")
		t.command(ctx, io.Discard, nil, "destroy", demoApp, "--force") // an app that was never made is no concern
		cancel()
		return <-ended
	}, nil
}

// command runs a management command as an operator would.
func (t *tour) command(ctx context.Context, out io.Writer, stdin io.Reader, args ...string) int {
	if stdin == nil {
		stdin = strings.NewReader("")
	}
	return request(ctx, socket(t.server.cfg.data), args, stdin, out, out)
}

// prepare makes a key, a user, an app and the sample's repository.
func (t *tour) prepare(ctx context.Context) error {
	t.title("Making a key, a user and an app")
	key := filepath.Join(t.dir, "id_ed25519")
	public, err := newKey(key)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		args  []string
		stdin string
	}{
		{args: []string{"users-add", "--admin", "demo"}},
		{args: []string{"keys-add", "--user", "demo", "demo-key"}, stdin: public},
		{args: []string{"create", "--owner", "demo", demoApp}},
	} {
		fmt.Fprintln(t.out, "$ boathook", strings.Join(step.args, " "))
		if t.command(ctx, t.out, strings.NewReader(step.stdin), step.args...) != 0 {
			return fmt.Errorf("boathook %s did not succeed", step.args[0])
		}
	}
	t.env = append(os.Environ(),
		"GIT_SSH_COMMAND="+t.ssh(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Demo", "GIT_AUTHOR_EMAIL=demo@example.com", "GIT_COMMITTER_NAME=Demo", "GIT_COMMITTER_EMAIL=demo@example.com")
	return t.makeSample(ctx)
}

// ssh is the client's command line with the demo's key and host key file.
func (t *tour) ssh() string {
	return fmt.Sprintf("ssh -F /dev/null -i %s -o IdentitiesOnly=yes -o UserKnownHostsFile=%s -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR",
		filepath.Join(t.dir, "id_ed25519"), filepath.Join(t.dir, "known_hosts"))
}

func (t *tour) remote() string {
	return fmt.Sprintf("ssh://git@%s/%s.git", t.server.sshListener.Addr(), demoApp)
}

// firstPush deploys version 1 and asks it something.
func (t *tour) firstPush(ctx context.Context) error {
	t.title("Pushing version 1")
	output, err := t.git(ctx, "push", "scalingo", "master")
	if err != nil {
		return fmt.Errorf("the first push did not succeed: %w", err)
	}
	for _, want := range []string{"-----> Running postdeploy hook", "== AddEmailToUsers: migrated", t.server.appsURL.Hostname()} {
		if !strings.Contains(output, want) {
			return fmt.Errorf("the push did not show %q", want)
		}
	}
	if err := t.expect(ctx, "Hello from version 1"); err != nil {
		return err
	}
	t.title("Scaling the worker")
	for _, args := range [][]string{{"scale", demoApp, "worker:1"}, {"ps", demoApp}} {
		fmt.Fprintln(t.out, "$ boathook", strings.Join(args, " "))
		if t.command(ctx, t.out, nil, args...) != 0 {
			return fmt.Errorf("boathook %s did not succeed", args[0])
		}
	}
	return nil
}

// failingPush pushes a version 2 whose hook fails: the push must be rejected and version 1 must go on.
func (t *tour) failingPush(ctx context.Context) error {
	t.title("Pushing version 2, whose postdeploy hook fails")
	if err := t.commit(ctx, "Hello from version 2", "bin/sample migrate AddEmailToUsers"); err != nil {
		return err
	}
	output, err := t.git(ctx, "push", "scalingo", "master")
	if err == nil {
		return errors.New("a push whose hook failed was accepted")
	}
	if want := "[remote rejected] master -> master (hook-error)"; !strings.Contains(output, want) {
		return fmt.Errorf("the push did not show %q", want)
	}
	t.title("Version 1 still answers")
	return t.expect(ctx, "Hello from version 1")
}

// next says what to try.
func (t *tour) next() {
	repo := filepath.Join(t.dir, "sample")
	addr := t.server.sshListener.Addr().String()
	host, port := addr[:strings.LastIndex(addr, ":")], addr[strings.LastIndex(addr, ":")+1:]
	t.title("That was boathook")
	fmt.Fprintf(t.out, "With your own repository:\n  git remote add scalingo %s\n  GIT_SSH_COMMAND='%s' git push scalingo master\n", t.remote(), t.ssh())
	fmt.Fprintf(t.out, "Ask the server:\n  %s -p %s git@%s deployments %s\n", t.ssh(), port, host, demoApp)
	fmt.Fprintf(t.out, "The sample is in %s, the app at %s.\n", repo, t.url())
	if !t.once {
		fmt.Fprintln(t.out, "Ctrl-C ends the demo and removes everything.")
	}
}

func (t *tour) url() string {
	u := *t.server.appsURL
	u.Host = demoApp + "." + u.Host
	return u.String()
}

// git runs git in the sample's repository, shows what the user sees, and returns it.
func (t *tour) git(ctx context.Context, args ...string) (string, error) {
	fmt.Fprintln(t.out, "$ git", strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = filepath.Join(t.dir, "sample"), t.env
	cmd.WaitDelay = 5 * time.Second
	var seen bytes.Buffer
	cmd.Stdout = io.MultiWriter(t.out, &seen)
	cmd.Stderr = cmd.Stdout
	err := cmd.Run()
	return seen.String(), err
}
