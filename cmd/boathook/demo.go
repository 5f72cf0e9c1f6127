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
	"syscall"
	"time"

	"boathook/receive/state"
)

// demoApp is the name of the demo's app.
const demoApp = "my-app"

// demo is `boathook demo`: a server in a temporary directory, a real git push that goes live, and one whose hook
// fails. With -once it ends after that: 0 only if all of it was seen. However it is ended, it removes what it made first.
func demo(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("boathook demo", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	var engine string
	choiceVar(fs, &engine, "engine", "auto docker local", "`kind` of engine: docker, local, or auto, which is docker if an engine answers and else local")
	once := fs.Bool("once", false, "end after the tour instead of serving until Ctrl-C")
	verbose := fs.Bool("v", false, "show the server's log")
	err := fs.Parse(args)
	if err == nil && fs.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "boathook: %v; see 'boathook demo -h'\n", err)
		return 2
	}
	ctx, stop := attended(ctx)
	defer stop()
	d := &tour{out: stdout, once: *once, log: slog.New(slog.DiscardHandler)}
	if *verbose {
		d.log = slog.New(slog.NewTextHandler(stderr, nil))
	}
	if err := d.run(ctx, engine); err != nil {
		fmt.Fprintln(stderr, "boathook:", err)
		return 1
	}
	return 0
}

// errCutShort is how a tour ends that is stopped before its end, whatever the step that was under way says.
var errCutShort = errors.New("the demo was interrupted before its end")

// tour is the demo under way.
type tour struct {
	out  io.Writer
	log  *slog.Logger
	once bool

	dir    string // everything is in here
	server *server
	stop   func() error // ends the server
	env    []string     // of git, ssh and the shell
}

// run takes the tour in an empty directory, and removes all of it.
func (t *tour) run(ctx context.Context, engine string) (err error) {
	t.title("Looking for git, ssh and Go")
	if err := programs("git", "ssh", "go"); err != nil {
		return err
	}
	if t.dir, err = os.MkdirTemp("", "boathook-demo-"); err != nil {
		return err
	}
	err = t.steps(ctx, engine)
	if err != nil && ctx.Err() != nil {
		err = errCutShort
	}
	left := t.close(context.WithoutCancel(ctx))
	if left == nil {
		fmt.Fprintln(t.out, "Nothing of the demo is left.")
	}
	return errors.Join(err, left)
}

// steps goes from the empty directory to the end of the tour.
func (t *tour) steps(ctx context.Context, engine string) error {
	t.title("Starting boathook in " + t.dir)
	if err := t.serve(ctx, engine); err != nil {
		return err
	}
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

func (t *tour) title(text string) {
	if terminalOf(t.out) >= 0 {
		text = "\x1b[1m" + text + "\x1b[0m"
	}
	fmt.Fprintf(t.out, "\n# %s\n", text)
}

// programs tells in one sentence what is missing on this machine.
func programs(names ...string) error {
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%s is needed and not on the PATH: install it and try again", name)
		}
	}
	return nil
}

// serve starts the server on free loopback ports; it runs until close.
func (t *tour) serve(ctx context.Context, engine string) error {
	cfg, err := parseConfig([]string{
		"-data", filepath.Join(t.dir, "data"), "-ssh-addr", "127.0.0.1:0", "-http-addr", "127.0.0.1:0",
		"-engine", engine, "-buildpack", "none", "-stack-image", "tiny", "-stop-time", "5s",
		"-namespace", filepath.Base(t.dir),
	}, io.Discard)
	if err != nil {
		return err
	}
	s, err := open(ctx, cfg, t.log)
	if err != nil {
		return err
	}
	t.server = s
	fmt.Fprintf(t.out, "engine: %s   ssh: %s   http: %s\n", s.engine.Name(), s.sshListener.Addr(), s.httpListener.Addr())
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	t.stop = func() error {
		cancel()
		return <-ended
	}
	return nil
}

// close destroys the app, ends the server and removes the directory.
func (t *tour) close(ctx context.Context) (err error) {
	t.title("Cleaning up")
	if t.server != nil {
		err = errors.Join(t.destroy(ctx), t.stop())
	}
	return errors.Join(err, os.RemoveAll(t.dir))
}

// destroy removes the app if it has been made.
func (t *tour) destroy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	_, err := t.server.store.App(ctx, demoApp)
	if errors.Is(err, state.ErrNotFound) {
		return nil
	}
	var said bytes.Buffer
	if err == nil && t.command(ctx, &said, nil, "destroy", demoApp, "--force") != 0 {
		err = fmt.Errorf("the app could not be removed: %s", bytes.TrimSpace(said.Bytes()))
	}
	return err
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
	cmd := t.program(ctx, "git", args...)
	cmd.Dir, cmd.Env = filepath.Join(t.dir, "sample"), t.env
	var seen bytes.Buffer
	cmd.Stdout = io.MultiWriter(t.out, &seen)
	cmd.Stderr = cmd.Stdout
	err := cmd.Run()
	return seen.String(), err
}

// program is a command that gets SIGINT, with all that it has started, when ctx ends: a killed git leaves its ssh behind, a killed
// go its temporary directory. The group of its own keeps a terminal's Ctrl-C from reaching it a second time.
func (t *tour) program(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}
