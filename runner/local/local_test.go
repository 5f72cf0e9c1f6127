package local_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"boathook/runner"
	"boathook/runner/local"

	"github.com/google/go-cmp/cmp"
)

// open opens an engine on dir, to be closed with the test, after removing all that runs.
func open(t *testing.T, dir string) *local.Engine {
	t.Helper()
	e, err := local.New(local.Config{Dir: dir, Backoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Remove(context.Background(), runner.Selector{}, 0); err != nil && !errors.Is(err, runner.ErrUnavailable) {
			t.Error(err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// image makes an image with one file, name, of mode 0644.
func image(t *testing.T, name, content string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func bash(img, command string) runner.Spec {
	return runner.Spec{
		Group:    runner.Group{App: "my-app", Release: "1", Type: "web"},
		Image:    img,
		Argv:     []string{"/bin/bash", "-c", command},
		Port:     true,
		Replicas: 1,
	}
}

func start(t *testing.T, e *local.Engine, spec runner.Spec) []runner.Instance {
	t.Helper()
	list, err := e.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// eventually polls until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func logs(t *testing.T, e *local.Engine, id string) string {
	t.Helper()
	var out bytes.Buffer
	if err := e.Logs(t.Context(), id, runner.LogOptions{}, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// one returns the single instance that there is.
func one(t *testing.T, e *local.Engine) runner.Instance {
	t.Helper()
	list, err := e.List(t.Context(), runner.Selector{})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 {
		t.Fatalf("%d instances, want 1: %v", len(list), list)
	}
	return list[0]
}

// pidIn waits for the PID that a process has written into an instance's file.
func pidIn(t *testing.T, dir, id, name string) int {
	t.Helper()
	var pid int
	eventually(t, name+" has a PID", func() bool {
		data, _ := os.ReadFile(filepath.Join(dir, "instances", id, "app", name))
		var err error
		pid, err = strconv.Atoi(strings.TrimSpace(string(data)))
		return err == nil && bytes.HasSuffix(data, []byte("\n"))
	})
	return pid
}

// gone tells whether pid is no process, not even a zombie.
func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func TestEnvironmentIsExactlyTheContracts(t *testing.T) {
	t.Setenv("SECRET_OF_THE_HOST", "x")
	e := open(t, t.TempDir())
	spec := bash(image(t, "f", ""), "")
	spec.Argv = []string{"env"}
	spec.Env = map[string]string{"FOO": "a b", "HOME": "/elsewhere"}
	var out bytes.Buffer
	if _, err := e.Run(t.Context(), spec, runner.IO{Out: &out}); err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(out.String()) {
		name, _, _ := strings.Cut(line, "=")
		names = append(names, name)
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"CONTAINER", "FOO", "HOME", "HOSTNAME", "PATH", "PORT", "TMPDIR"}, names); diff != "" {
		t.Error(diff)
	}
	for _, want := range []string{"FOO=a b\n", "CONTAINER=web-1\n", "HOSTNAME=my-app-web-1\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "elsewhere") {
		t.Error("the app's HOME replaced the instance's")
	}
}

func TestImageIsCopiedAndPlaceholderReplaced(t *testing.T) {
	dir, img := t.TempDir(), image(t, "file", "original\n")
	e := open(t, dir)
	spec := bash(img, "")
	spec.Argv = []string{"/bin/bash", "-c", `echo changed >"$1/file"; cat "$0" file; pwd`, local.ImageDir + "/file", local.ImageDir}
	var out bytes.Buffer
	if exit, err := e.Run(t.Context(), spec, runner.IO{Out: &out}); err != nil || exit.Code != 0 {
		t.Fatal(exit, err)
	}
	if !strings.HasPrefix(out.String(), "changed\nchanged\n"+dir+"/instances/") {
		t.Errorf("got %q", out.String())
	}
	if data, err := os.ReadFile(filepath.Join(img, "file")); err != nil || string(data) != "original\n" {
		t.Errorf("the image now holds %q, %v", data, err)
	}
}

func TestStartRefuses(t *testing.T) {
	e := open(t, t.TempDir())
	img := image(t, "file", "")
	for _, tc := range []struct {
		name string
		spec runner.Spec
		want string
	}{
		{"no image", bash(filepath.Join(img, "missing"), "true"), "not found"},
		{"a relative image", bash("image", "true"), "not an absolute path"},
		{"a file as image", bash(filepath.Join(img, "file"), "true"), "not a directory"},
		{"no command", runner.Spec{Image: img, Replicas: 1}, "no command of its own"},
		{"an unknown command", runner.Spec{Image: img, Argv: []string{"no-such-command"}, Replicas: 2}, `command "no-such-command" is in no directory of PATH`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := e.Start(t.Context(), tc.spec)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v, want %q", err, tc.want)
			}
		})
	}
	if list, err := e.List(t.Context(), runner.Selector{}); err != nil || len(list) != 0 {
		t.Errorf("left over: %v, %v", list, err)
	}
}

func TestPortsAreUnique(t *testing.T) {
	e := open(t, t.TempDir())
	spec := bash(image(t, "f", ""), "exec sleep 1000")
	spec.Replicas = 20
	seen := map[string]string{}
	for _, i := range start(t, e, spec) {
		if i.Addr == "" || seen[i.Addr] != "" {
			t.Errorf("%s has address %q, as %q", i.Name(), i.Addr, seen[i.Addr])
		}
		seen[i.Addr] = i.Name()
	}
}

func TestSecondEngineIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	if _, err := local.New(local.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "another boathook") {
		t.Errorf("got %v", err)
	}
}

// TestLockOfAChild closes an engine while a child holds its lock's file, as one does between fork and exec, and opens the next; and opens one a moment
// before such a child of a dead process lets go.
func TestLockOfAChild(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	child := func() *os.File { // shares the lock, as a descriptor that was inherited does
		fds, err := filepath.Glob("/proc/self/fd/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && to == filepath.Join(dir, "lock") {
				number, err := strconv.Atoi(filepath.Base(fd))
				if err != nil {
					t.Fatal(err)
				}
				held, err := syscall.Dup(number)
				if err != nil {
					t.Fatal(err)
				}
				return os.NewFile(uintptr(held), "lock")
			}
		}
		t.Skip("descriptors cannot be listed on this machine")
		return nil
	}
	held := child()
	defer held.Close()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	next := open(t, dir)
	if err := next.Close(); err != nil {
		t.Fatal(err)
	}
	other, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(other.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	letGo := time.AfterFunc(50*time.Millisecond, func() { _ = other.Close() })
	defer letGo.Stop()
	open(t, dir)
}

func TestAdoption(t *testing.T) {
	dir, img := t.TempDir(), image(t, "f", "")
	first := open(t, dir)
	live := start(t, first, bash(img, `echo $$ >pid; echo before; while [ ! -e go ]; do sleep 0.01; done; echo after; exec sleep 1000`))[0]
	ended := bash(img, "exit 7")
	ended.Type = "worker"
	start(t, first, ended)
	pid := pidIn(t, dir, live.ID, "pid")
	eventually(t, "the worker has ended", func() bool {
		list, err := first.List(t.Context(), runner.Selector{Type: "worker"})
		return err == nil && list[0].Phase == runner.Exited
	})
	want, err := first.List(t.Context(), runner.Selector{})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	second := open(t, dir)
	got, err := second.List(t.Context(), runner.Selector{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := os.WriteFile(filepath.Join(dir, "instances", live.ID, "app", "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "output goes on", func() bool { return logs(t, second, live.ID) == "before\nafter\n" })
	if err := second.Remove(t.Context(), runner.Selector{}, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the process is gone", func() bool { return gone(pid) })
	if entries, err := os.ReadDir(filepath.Join(dir, "instances")); err != nil || len(entries) != 0 {
		t.Errorf("left over: %v, %v", entries, err)
	}
}

func TestEndedMeanwhileReadsExited(t *testing.T) {
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprintf("keep=%v", keep), func(t *testing.T) {
			dir := t.TempDir()
			first := open(t, dir)
			i := start(t, first, bash(image(t, "f", ""), `echo $$ >pid; exec sleep 1000`))[0]
			pid := pidIn(t, dir, i.ID, "pid")
			if keep {
				if err := first.Keep(t.Context(), runner.Selector{}); err != nil {
					t.Fatal(err)
				}
			}
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the process is gone", func() bool { return gone(pid) })
			second := open(t, dir)
			if keep {
				eventually(t, "the kept instance runs again", func() bool { return one(t, second).Phase == runner.Running })
				return
			}
			if got := one(t, second); got.Phase != runner.Exited || got.ExitCode != -1 {
				t.Errorf("got %s %d, want exited -1", got.Phase, got.ExitCode)
			}
		})
	}
}

func TestKeepRestarts(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	i := start(t, e, bash(image(t, "f", ""), `echo run; while [ ! -e crash ]; do sleep 0.01; done; exit 3`))[0]
	if err := e.Keep(t.Context(), runner.Selector{App: "my-app"}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "instances", i.ID, "app", "crash"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "three restarts", func() bool { return one(t, e).Restarts >= 3 })
	if got := one(t, e); got.ID != i.ID {
		t.Errorf("the instance became %s, was %s", got.ID, i.ID)
	}
	if err := e.RemoveInstance(t.Context(), i.ID, time.Second); err != nil {
		t.Fatal(err)
	}
}

func TestNothingIsLeftRunning(t *testing.T) {
	const escape = `setsid sleep 1000 & echo $! >escaped; (trap "" TERM; set -m; sleep 1000 & echo $! >grouped; wait) & `
	for _, tc := range []struct {
		name, command string
		grace         time.Duration
	}{
		{"main process ends by itself", escape + `while [ ! -s grouped ]; do sleep 0.01; done; exit 0`, 0},
		{"killed at once", escape + `wait`, 0},
		{"stopped", escape + `wait`, 10 * time.Second},
		{"deaf to TERM", escape + `trap "" TERM; while :; do sleep 0.1; done`, 50 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			e := open(t, dir)
			i := start(t, e, bash(image(t, "f", ""), tc.command))[0]
			pids := []int{pidIn(t, dir, i.ID, "escaped"), pidIn(t, dir, i.ID, "grouped")}
			if tc.name == "main process ends by itself" {
				eventually(t, "it has ended", func() bool { return one(t, e).Phase == runner.Exited })
			} else if err := e.RemoveInstance(t.Context(), i.ID, tc.grace); err != nil {
				t.Fatal(err)
			}
			for _, pid := range pids {
				// Whoever adopts orphans has to collect it, so a zombie may be seen for a moment.
				eventually(t, fmt.Sprintf("process %d is gone", pid), func() bool { return gone(pid) || zombie(pid) })
			}
		})
	}
}

// zombie tells whether pid has ended but was not collected.
func zombie(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(data), ") Z ")
}

func TestRunEndsWithItsMainProcess(t *testing.T) {
	e := open(t, t.TempDir())
	spec := bash(image(t, "f", ""), `env -i /usr/bin/setsid /bin/sleep 3 & head -c 300000 /dev/zero; echo end; exit 5`)
	var out bytes.Buffer
	exit, err := e.Run(t.Context(), spec, runner.IO{Out: &out})
	if err != nil || exit.Code != 5 {
		t.Fatal(exit, err)
	}
	if out.Len() != 300004 || !strings.HasSuffix(out.String(), "end\n") {
		t.Errorf("%d bytes of output, want 300004", out.Len())
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	done := make(chan error, 1)
	go func() {
		_, err := e.Run(ctx, bash(image(t, "f", ""), `echo $$; exec sleep 1000`), runner.IO{Out: w})
		done <- err
	}()
	line := make([]byte, 32)
	n, err := r.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
	if err != nil || !gone(pid) {
		t.Errorf("process %d is still there, %v", pid, err)
	}
	if list, err := e.List(t.Context(), runner.Selector{}); err != nil || len(list) != 0 {
		t.Errorf("left over: %v, %v", list, err)
	}
}

func TestFollowGoesOnToTheEnd(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	i := start(t, e, bash(image(t, "f", ""), `echo one; while [ ! -e go ]; do sleep 0.01; done; echo two; printf three`))[0]
	var lines []string
	done := make(chan error, 1)
	go func() {
		done <- e.Lines(t.Context(), i.ID, "", func(l runner.Line) error { lines = append(lines, string(l.Text)); return nil })
	}()
	if err := os.WriteFile(filepath.Join(dir, "instances", i.ID, "app", "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(lines, "|"), "one|two|three"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
