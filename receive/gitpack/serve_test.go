package gitpack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain makes this binary a git-receive-pack and a git-upload-pack too: the real client runs it as a program of its own.
func TestMain(m *testing.M) {
	if mode := os.Getenv("GITPACK_TEST"); mode != "" {
		os.Exit(serve(mode))
	}
	os.Exit(m.Run())
}

// serve is the child: the last argument is the repository's path, mode says what Deploy does.
func serve(mode string) int {
	path := os.Args[len(os.Args)-1]
	log := slog.New(slog.DiscardHandler)
	if out := os.Getenv("GITPACK_LOG"); out != "" {
		if f, err := os.OpenFile(out, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			log = slog.New(slog.NewTextHandler(f, nil))
		}
	}
	limits := Limits{Keepalive: 20 * time.Millisecond, Packs: 3}
	if text := os.Getenv("GITPACK_LIMITS"); text != "" {
		if err := json.Unmarshal([]byte(text), &limits); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	repos, err := Open(Config{Dir: filepath.Dir(path), Log: log, Limits: limits, Version: "test"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	app := strings.TrimSuffix(filepath.Base(path), ".git")
	if mode == "early" {
		return map[bool]int{true: 128, false: 1}[RefuseEarly(os.Stdout, "no such app") == nil]
	}
	if strings.HasPrefix(os.Args[1], "upload") {
		return repos.UploadPack(context.Background(), app, os.Stdin, os.Stdout, os.Stderr)
	}
	exit := repos.ReceivePack(context.Background(), app, os.Stdin, os.Stdout, os.Stderr, testHandler(mode))
	if mode == "measured" {
		fmt.Fprintf(os.Stderr, "peak %d\n", peakOfChildren())
	}
	return exit
}

type testHandler string

type hookError struct{}

func (hookError) Error() string  { return "hook failed" }
func (hookError) Reason() string { return "hook-error\nand more" }

func (h testHandler) Deploy(ctx context.Context, push *Push) error {
	fmt.Fprintf(push.Out, " <-- Start %s %s -->\n", push.App, strings.Join(push.Options, ","))
	switch h {
	case "fail":
		return hookError{}
	case "broken":
		return errors.New("secret detail")
	case "publish":
		return push.Publish(ctx)
	case "revert":
		return errors.Join(push.Publish(ctx), push.Revert(ctx), hookError{})
	case "large":
		push.Out.Write(bytes.Repeat([]byte("0123456789abcde\n"), 20000))
	case "slow":
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond): // ten keepalives
		}
	}
	return nil
}

// world is a repository that is pushed to, and a work tree.
type world struct {
	t     *testing.T
	repos *Repos
	path  string
	work  string
	self  string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	repos, err := Open(Config{Dir: filepath.Join(dir, "repos"), Limits: Limits{Keepalive: 10 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := repos.Create(t.Context(), "my-app"); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, repos: repos, path: repos.Path("my-app"), work: filepath.Join(dir, "work"), self: self}
	w.must("", "init", "-q", "-b", "master", w.work)
	w.commit("one")
	return w
}

// git runs the client and returns all it printed; mode is the server's.
func (w *world) git(mode string, args ...string) (string, int) {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	if _, err := os.Stat(w.work); err == nil {
		cmd.Dir = w.work
	}
	cmd.Env = append(os.Environ(), "GITPACK_TEST="+cmp.Or(mode, "accept"), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func (w *world) must(mode string, args ...string) string {
	w.t.Helper()
	out, code := w.git(mode, args...)
	if code != 0 {
		w.t.Fatalf("git %s: exit %d\n%s", strings.Join(args, " "), code, out)
	}
	return strings.TrimSpace(out)
}

func (w *world) push(mode string, args ...string) (string, int) {
	w.t.Helper()
	out, code := w.git(mode, append([]string{"push", "--receive-pack=" + w.self + " receive", w.path}, args...)...)
	w.clean()
	return out, code
}

func (w *world) commit(text string) string {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.work, "file"), []byte(strings.Repeat("line\n", 500)+text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.must("", "add", ".")
	w.must("", "commit", "-qm", text)
	return w.must("", "rev-parse", "HEAD")
}

func (w *world) head(ref, want string) {
	w.t.Helper()
	got, err := w.repos.Head(w.t.Context(), "my-app", ref)
	if err != nil || got != want {
		w.t.Fatalf("%s is at %s (%v), want %s", ref, got, err, want)
	}
}

// clean fails if a push has left a quarantine, a half-written pack, a lock or a process.
func (w *world) clean() {
	w.t.Helper()
	err := filepath.WalkDir(w.path, func(path string, _ fs.DirEntry, err error) error {
		name := filepath.Base(path)
		if strings.HasPrefix(name, "tmp_") || strings.HasPrefix(name, ".tmp-") || strings.HasSuffix(name, ".lock") {
			w.t.Errorf("left over: %s", path)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if left := children(); len(left) > 0 {
		w.t.Errorf("processes left over: %v", left)
	}
}
