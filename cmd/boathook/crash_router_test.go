package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"boathook/cmd/boathook/scenes"
)

// TestCrashBesideRouter is TestCrash with the routing in a process of its own, which goes on when boathook dies, under load: whatever the moment, no
// request is lost, be it while boathook is away or when it comes back.
func TestCrashBesideRouter(t *testing.T) {
	t.Parallel()
	app := scenes.Fixture(t)
	for _, engine := range []string{"local", "docker"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			if engine == "docker" {
				scenes.NeedDocker(t)
			}
			w := newWalk(t, engine, app)
			w.args = append(w.args, "-http-addr", none)
			if engine == "docker" {
				w.step *= 4 // what the engine has done by then TestCrash looks at
			}
			w.front = startRouter(t, w.args[1])
			s := w.serve()
			s.routed()
			s.stop()
			requests := scenes.StartLoad("http://"+w.front, "my-app.example.com")
			t.Cleanup(func() { _, _ = requests.End() }) // before the app is destroyed; here it is late only if the walk has failed
			w.walk()
			answered, err := requests.End()
			if err != nil {
				t.Error(err)
			}
			t.Logf("%d requests answered", answered)
		})
	}
}

// startRouter starts `boathook router` for a data directory and returns its address.
func startRouter(t *testing.T, data string) (address string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "router", "-data", data, "-http-addr", "127.0.0.1:0")
	cmd.Args[0] = "boathook"
	log, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(log)
	drained := make(chan struct{})
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		<-drained
		if err := cmd.Wait(); err != nil {
			t.Errorf("boathook router: %v", err)
		}
	})
	for {
		line, err := lines.ReadString('\n')
		if found := scenes.RouterServes.FindStringSubmatch(line); found != nil {
			go func() {
				defer close(drained)
				_, _ = io.Copy(io.Discard, lines)
			}()
			return found[1]
		}
		if err != nil {
			close(drained)
			t.Fatalf("boathook router does not serve: %v", err)
		}
	}
}
