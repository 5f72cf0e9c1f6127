package main

import (
	"bytes"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"boathook/cmd/boathook/scenes"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
)

// TestDemoSignals ends the demo at several moments as a person would: it says so, and nothing of it stays on the machine.
func TestDemoSignals(t *testing.T) {
	t.Parallel()
	hangups := make(chan os.Signal, 1) // a demo that is started by somebody with nohup ignores them; by somebody who catches them it does not
	signal.Notify(hangups, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hangups) })
	const cut, whole = "Nothing of the demo is left.\nboathook: the demo was interrupted before its end\n", "Nothing of the demo is left.\n"
	for _, row := range []struct {
		engine, name string
		moments      []string // a signal is sent when the demo has printed these words
		signal       syscall.Signal
		exit         int
		last         string
	}{
		{"local", "building", []string{"Building the sample app"}, syscall.SIGINT, 1, cut},
		{"local", "first push", []string{"Fetching source code"}, syscall.SIGINT, 1, cut},
		{"local", "hook", []string{"== CreateUsers: migrating"}, syscall.SIGTERM, 1, cut},
		{"local", "idle", []string{"Ctrl-C ends the demo"}, syscall.SIGINT, 0, whole},
		{"local", "terminal closed", []string{"Ctrl-C ends the demo"}, syscall.SIGHUP, 0, whole},
		{"docker", "first push", []string{"Fetching source code"}, syscall.SIGINT, 1, cut},
		{"docker", "idle, twice", []string{"Ctrl-C ends the demo", "Cleaning up"}, syscall.SIGINT, 0, whole},
	} {
		t.Run(row.engine+"/"+row.name, func(t *testing.T) {
			t.Parallel()
			if row.engine == "docker" {
				scenes.NeedDocker(t)
			}
			d := startDemo(t, "--engine", row.engine)
			for _, moment := range row.moments {
				d.output.await(moment)
				if err := d.cmd.Process.Signal(row.signal); err != nil {
					t.Fatal(err)
				}
			}
			d.ends(row.exit, row.last)
		})
	}
}

// TestDemoReaderGone ends the reader of the demo's output first, as Ctrl-C does with tee: the demo still puts its things away.
func TestDemoReaderGone(t *testing.T) {
	d := startDemo(t, "--engine", "local")
	d.output.await("Fetching source code")
	if err := d.output.from.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Wait(); d.cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("%v, want exit status 1", err)
	}
	d.leavesNothing()
}

// demoRun is a `boathook demo` in a process of its own.
type demoRun struct {
	t      *testing.T
	cmd    *exec.Cmd
	tmp    string // its temporary directory
	output *words
}

func startDemo(t *testing.T, args ...string) *demoRun {
	t.Helper()
	tmp := t.TempDir()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	d := &demoRun{t: t, tmp: tmp, cmd: exec.Command("boathook", append([]string{"demo"}, args...)...), output: newWords(t, r)}
	d.cmd.Stdout, d.cmd.Stderr, d.cmd.Env = w, w, append(os.Environ(), "TMPDIR="+tmp)
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if d.cmd.ProcessState == nil { // the test has failed already
			_ = d.cmd.Process.Signal(syscall.SIGTERM)
			_ = d.cmd.Wait()
		}
		_ = r.Close()
	})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return d
}

// ends waits for the end and compares the exit status, the last words, and what is left.
func (d *demoRun) ends(exit int, last string) {
	d.t.Helper()
	err := d.cmd.Wait()
	text := d.output.rest()
	if got := d.cmd.ProcessState.ExitCode(); got != exit {
		d.t.Errorf("%v, want exit status %d\n%s", err, exit, text)
	}
	if !strings.HasSuffix(text, last) {
		d.t.Errorf("the last words are not %q:\n%s", last, text)
	}
	d.leavesNothing()
}

func (d *demoRun) leavesNothing() {
	d.t.Helper()
	left, err := os.ReadDir(d.tmp)
	if err != nil || len(left) > 0 {
		d.t.Errorf("left in the temporary directory: %v, %v", left, err)
	}
	processes, err := scenes.ProcessesIn(d.tmp)
	if err != nil || len(processes) > 0 {
		d.t.Errorf("left running: %v, %v", processes, err)
	}
	if !strings.Contains(d.output.text(), "engine: docker") {
		return
	}
	namespace := regexp.MustCompile(`boathook-demo-\d+`).FindString(d.output.text())
	if left := dockerObjects(d.t, namespace); len(left) > 0 {
		d.t.Errorf("left at the Docker engine: %v", left)
	}
}

// dockerObjects lists everything at the engine that bears the label of a namespace.
func dockerObjects(t *testing.T, namespace string) (found []string) {
	t.Helper()
	api, err := dockerClient(t.Context(), "docker")
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	ours := filters.NewArgs(filters.Arg("label", "boathook.namespace="+namespace))
	containers, err := api.ContainerList(t.Context(), container.ListOptions{All: true, Filters: ours})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range containers {
		found = append(found, "container "+c.Names[0])
	}
	images, err := api.ImageList(t.Context(), image.ListOptions{All: true, Filters: ours})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range images {
		found = append(found, "image "+i.ID)
	}
	networks, err := api.NetworkList(t.Context(), network.ListOptions{Filters: ours})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range networks {
		found = append(found, "network "+n.Name)
	}
	volumes, err := api.VolumeList(t.Context(), volume.ListOptions{Filters: ours})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range volumes.Volumes {
		found = append(found, "volume "+v.Name)
	}
	return found
}

// words is the output of a program under way.
type words struct {
	t    *testing.T
	from *os.File
	done chan struct{} // closed at the end of the output

	mu   sync.Mutex
	cond *sync.Cond
	seen bytes.Buffer // guarded by mu
	over bool         // guarded by mu
}

func newWords(t *testing.T, from *os.File) *words {
	w := &words{t: t, from: from, done: make(chan struct{})}
	w.cond = sync.NewCond(&w.mu)
	go w.read()
	return w
}

func (w *words) read() {
	defer close(w.done)
	buf := make([]byte, 4096)
	for {
		n, err := w.from.Read(buf)
		w.mu.Lock()
		w.seen.Write(buf[:n])
		w.over = err != nil
		w.cond.Broadcast()
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// await waits until the program has said text.
func (w *words) await(text string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for !strings.Contains(w.seen.String(), text) {
		if w.over {
			w.t.Fatalf("the output ended without %q:\n%s", text, w.seen.String())
		}
		w.cond.Wait()
	}
}

func (w *words) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen.String()
}

// rest is the whole output, once it has ended.
func (w *words) rest() string {
	<-w.done
	return w.text()
}
