package docker_test

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"strings"
	"testing"

	"boathook/runner"
	"boathook/runner/docker"
)

// TestOpenFiles has a process open files until it may not open another.
func TestOpenFiles(t *testing.T) {
	e := configured(t, docker.Config{Client: connect(t), OpenFiles: 64})
	_, out := run(t, e, spec("files", "postdeploy", "ulimit -n 1000; n=0; while exec {fd}</dev/null; do n=$((n+1)); done 2>/dev/null; echo $n"))
	lines := strings.Fields(out)
	if n, err := strconv.Atoi(lines[len(lines)-1]); err != nil || n < 32 || n > 64 {
		t.Errorf("open files %q, want at most 64", out)
	}
}

// TestNoCore crashes a process that has asked for a core file.
func TestNoCore(t *testing.T) {
	e, _ := scene(t, connect(t))
	_, out := run(t, e, spec("core", "postdeploy", "exec 2>/dev/null; ulimit -c unlimited; ulimit -c; bash -c 'kill -SEGV $$'; ls"))
	if out != "0\n" {
		t.Errorf("the limit and what a crash leaves: %q", out)
	}
}

// TestLogSize has a container print 40 times as much as is kept of its output.
func TestLogSize(t *testing.T) {
	e := configured(t, docker.Config{Client: connect(t), LogMaxSize: "100k", LogMaxFiles: 2})
	started, err := e.Start(t.Context(), spec("loud", "web", "for i in {1..80000}; do echo $i 0123456789012345678901234567890123456789; done; echo end; exec sleep 300"))
	if err != nil {
		t.Fatal(err)
	}
	var kept bytes.Buffer
	poll(t, "the last line is in the log", func() bool {
		kept.Reset()
		if err := e.Logs(t.Context(), started[0].ID, runner.LogOptions{}, &kept); err != nil {
			t.Fatal(err)
		}
		return strings.HasSuffix(kept.String(), "end\n")
	})
	if kept.Len() > 200<<10 {
		t.Errorf("%d bytes are kept, more than 2 files of 100 KiB", kept.Len())
	}
}

// TestSharedMemory fills /dev/shm, which is memory: the engine's default is 64 MiB of the container's limit.
func TestSharedMemory(t *testing.T) {
	e, _ := scene(t, connect(t))
	_, out := run(t, e, spec("shm", "postdeploy", "head -c 128m /dev/zero >/dev/shm/much; ls -l /dev/shm/much"))
	if fields := strings.Fields(out[strings.LastIndex(out, "-rw"):]); len(fields) < 5 || fields[4] != strconv.Itoa(64<<20) {
		t.Errorf("/dev/shm takes something else than 64 MiB:\n%s", out)
	}
}

// TestNamespaces compares what a container sees with this machine and with another container of its app.
func TestNamespaces(t *testing.T) {
	e, _ := scene(t, connect(t))
	seen := map[string]string{}
	for _, kind := range []string{"ipc", "mnt", "net", "pid", "uts"} {
		here, err := os.Readlink("/proc/self/ns/" + kind)
		if err != nil {
			t.Fatal(err)
		}
		seen[here] = "this machine"
	}
	for _, typ := range []string{"web", "worker"} {
		s := spec("apart", typ, "ls -l /proc/self/ns; exec sleep 300")
		started, err := e.Start(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		poll(t, "the list of namespaces", func() bool {
			out.Reset()
			if err := e.Logs(t.Context(), started[0].ID, runner.LogOptions{}, &out); err != nil {
				t.Fatal(err)
			}
			return strings.Contains(out.String(), "uts:[")
		})
		for line := range strings.Lines(out.String()) {
			_, namespace, ok := strings.Cut(strings.TrimSpace(line), " -> ")
			if kind, _, _ := strings.Cut(namespace, ":"); !ok || !strings.Contains("ipc mnt net pid uts", kind) {
				continue
			}
			if other := seen[namespace]; other != "" && other != typ { // pid is also that of its children
				t.Errorf("%s shares %s with %s", typ, namespace, other)
			}
			seen[namespace] = typ
		}
	}
	if len(seen) != 3*5 {
		t.Errorf("namespaces seen: %v", seen)
	}
}

// TestMachineHidden looks for the engine's socket and for ways into the kernel.
func TestMachineHidden(t *testing.T) {
	e, _ := scene(t, connect(t))
	_, out := run(t, e, spec("hidden", "postdeploy", `
		busybox find / -xdev -type s 2>/dev/null
		grep -o '[^ ]*\.sock' /proc/self/mountinfo
		for dir in /proc/sys /sys; do
			grep -q "^[^ ]* [^ ]* [^ ]* [^ ]* $dir ro," /proc/self/mountinfo || echo "$dir can be written"
		done
		for file in /proc/kcore /proc/keys /proc/timer_list; do
			[ -z "$(head -c 1 $file 2>/dev/null | tr '\0' x)" ] || echo "$file can be read"
		done
		busybox unshare -r true 2>/dev/null && echo "makes a user namespace"
		busybox mount -t tmpfs none /tmp 2>/dev/null && echo "mounts"
		echo looked`))
	if out != "looked\n" {
		t.Errorf("a container finds:\n%s", out)
	}
}

// TestOneAppStarvesItself has an app take all the processes and memory it can get; another one goes on answering.
func TestOneAppStarvesItself(t *testing.T) {
	e, _ := scene(t, connect(t))
	addr := listening(t, e, "calm")
	bomb := spec("wild", "web", `f() { f | f & }; f; exec sleep 300`)
	bomb.Limits = runner.Limits{Memory: 64 << 20, PIDs: 64}
	if _, err := e.Start(t.Context(), bomb); err != nil {
		t.Fatal(err)
	}
	hog := spec("wild", "postdeploy", `x=$(head -c 500m /dev/zero | tr '\0' x); echo "${#x}"`)
	hog.Limits.Memory = 64 << 20
	if exit, out := run(t, e, hog); exit.Code == 0 || strings.Contains(out, strconv.Itoa(500<<20)) {
		t.Errorf("500 MB are had: %+v %q", exit, out)
	}
	host, port, _ := strings.Cut(addr, ":")
	if exit, out := run(t, e, spec("calm", "postdeploy", "nc -w 20 "+host+" "+port+" </dev/null")); exit.Code != 0 {
		t.Errorf("the calm app is not reached: %q", out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := e.Remove(ctx, runner.Selector{App: "wild"}, 0); err != nil {
		t.Errorf("what went wild is not removed: %v", err)
	}
}
