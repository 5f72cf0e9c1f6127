package enginetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"boathook/runner"
)

func testRunExit(t *testing.T, f *fixture) {
	for command, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -KILL $$": 137, "kill -TERM $$": 143, "no-such-command": 127} {
		exit, out := f.run(t, f.spec("postdeploy", command))
		if exit.Code != want || exit.OOMKilled {
			t.Errorf("%s: %+v, want code %d; output %q", command, exit, want, out)
		}
	}
	f.empty(t)
}

// testRunOutput compares each stream by itself: an engine may have a pipe for each.
func testRunOutput(t *testing.T, f *fixture) {
	t.Run("both streams", func(t *testing.T) {
		_, out := f.run(t, f.spec("postdeploy", "for i in {1..50}; do echo out $i; echo err $i >&2; done"))
		for _, stream := range []string{"out", "err"} {
			var got, want strings.Builder
			for line := range strings.Lines(out) {
				if strings.HasPrefix(line, stream) {
					got.WriteString(line)
				}
			}
			for i := range 50 {
				fmt.Fprintf(&want, "%s %d\n", stream, i+1)
			}
			if got.String() != want.String() {
				t.Errorf("%s: %q", stream, got.String())
			}
		}
	})
	t.Run("complete", func(t *testing.T) {
		_, out := f.run(t, f.spec("postdeploy", "for i in {1..20000}; do echo line $i; done"))
		var want strings.Builder
		for i := range 20000 {
			fmt.Fprintf(&want, "line %d\n", i+1)
		}
		if out != want.String() {
			t.Errorf("%d bytes of output, want %d", len(out), want.Len())
		}
	})
	t.Run("live", func(t *testing.T) {
		ctx, cancel := context.WithCancel(f.ctx)
		defer cancel()
		var out buffer
		done := make(chan error, 1)
		go func() {
			_, err := f.engine.Run(ctx, f.spec("postdeploy", "printf prompt; exec sleep 300"), runner.IO{Out: &out})
			done <- err
		}()
		f.eventually(t, "output before the end, without a newline", out.has("prompt"))
		cancel()
		<-done
	})
}

func testRunCanceled(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	var out buffer
	done := make(chan error, 1)
	go func() {
		_, err := f.engine.Run(ctx, f.spec("postdeploy", "trap '' TERM INT HUP; echo ready; "+forever), runner.IO{Out: &out})
		done <- err
	}()
	f.eventually(t, "hook is ready", out.has("ready"))
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want one that wraps context.Canceled", err)
	}
	f.empty(t)
}

func testRunHeldOutput(t *testing.T, f *fixture) {
	exit, out := f.run(t, f.spec("postdeploy", "(trap '' TERM HUP; exec sleep 300) & echo done; exit 5"))
	if exit.Code != 5 || out != "done\n" {
		t.Errorf("%+v, output %q", exit, out)
	}
	f.empty(t)
}

func testRunRemoved(t *testing.T, f *fixture) {
	spec := f.spec("postdeploy", "echo ready; exec sleep 300")
	spec.First = 2753
	var out buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Whether a removed one-off has a code of its own is the engine's business.
		if exit, err := f.engine.Run(f.ctx, spec, runner.IO{Out: &out}); err == nil && exit.Code == 0 {
			t.Error("a removed one-off ended with 0")
		}
	}()
	f.eventually(t, "hook is ready", out.has("ready"))
	list := f.list(t, runner.Selector{App: f.app})
	if len(list) != 1 || list[0].Name() != "postdeploy-2753" || list[0].Phase != runner.Running {
		t.Errorf("while running: %+v", list)
	}
	if err := f.engine.Remove(f.ctx, runner.Selector{App: f.app}, 0); err != nil {
		t.Error(err)
	}
	<-done
	f.empty(t)
}

func testRunMissingImage(t *testing.T, f *fixture) {
	spec := f.spec("postdeploy", "exit 0")
	spec.Image += "-missing"
	if _, err := f.engine.Run(f.ctx, spec, runner.IO{Out: &buffer{}}); !errors.Is(err, runner.ErrNotFound) {
		t.Errorf("error %v, want one that wraps ErrNotFound", err)
	}
	f.empty(t)
}

func testRunArguments(t *testing.T, f *fixture) {
	spec := f.spec("postdeploy", `printf '<%s>' "$0" "$@"`)
	spec.Argv = append(spec.Argv, "zero", "two  words", "", "line\nbreak", "$HOME", "*")
	if _, out := f.run(t, spec); out != "<zero><two  words><><line\nbreak><$HOME><*>" {
		t.Errorf("arguments arrived as %q", out)
	}
}

func testEntrypoint(t *testing.T, f *fixture) {
	if !f.Entrypoint {
		t.Skip("the image of this engine has no entry point")
	}
	spec := f.spec("postdeploy", "")
	spec.Argv = nil
	if exit, out := f.run(t, spec); exit.Code != 0 || out != "own entry point\n" {
		t.Errorf("%+v, output %q", exit, out)
	}
}

func testFiles(t *testing.T, f *fixture) {
	spec := f.spec("web", `echo mine > "$CONTAINER"; sleep 1; [ -e made-by-hook ] && echo hook; echo web-*`)
	spec.Replicas = 2
	started := f.start(t, spec)
	if exit, out := f.run(t, f.spec("postdeploy", "echo x > made-by-hook")); exit.Code != 0 {
		t.Fatalf("%+v, output %q", exit, out)
	}
	if exit, out := f.run(t, f.spec("postdeploy", "[ ! -e made-by-hook ]")); exit.Code != 0 {
		t.Errorf("one one-off sees the file of another: %+v, output %q", exit, out)
	}
	for _, i := range started {
		f.exited(t, i.ID)
		if out := f.logs(t, i.ID, runner.LogOptions{}); out != i.Name()+"\n" {
			t.Errorf("%s sees %q", i.Name(), out)
		}
	}
}

func testMemory(t *testing.T, f *fixture) {
	if !f.Memory {
		t.Skip("this engine does not limit memory")
	}
	spec := f.spec("postdeploy", "x=0123456789abcdef; while :; do x=$x$x; done")
	spec.Limits.Memory = 64 << 20
	exit, out := f.run(t, spec)
	if exit.Code != 137 || !exit.OOMKilled {
		t.Errorf("run: %+v, output %q", exit, out)
	}
	// A busy engine may learn of the end before it learns why, and then never tells that: so one of a few has to.
	told := false
	for number := 1; number <= 5 && !told; number++ {
		spec.First = number
		got := f.exited(t, f.start(t, spec)[0].ID)
		told = got.OOMKilled
		if got.ExitCode != 137 {
			t.Errorf("start: status %d", got.ExitCode)
		}
	}
	if !told {
		t.Error("start: out of memory is not told")
	}
}

func testPIDs(t *testing.T, f *fixture) {
	if !f.PIDs {
		t.Skip("this engine does not limit processes")
	}
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	spec := f.spec("postdeploy", "for i in {1..40}; do sleep 300 & done; echo all started")
	spec.Limits.PIDs = 20
	var out buffer
	done := make(chan error, 1)
	go func() {
		_, err := f.engine.Run(ctx, spec, runner.IO{Out: &out})
		done <- err
	}()
	f.eventually(t, "bash cannot fork", out.has("fork"))
	cancel()
	<-done
	if strings.Contains(out.String(), "all started") {
		t.Error("40 processes under a limit of 20")
	}
}
