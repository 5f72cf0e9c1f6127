package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"boathook/cmd/boathook/scenes"
)

// lame is an engine with a fault: one request, the first that fits, is answered badly.
type lame struct {
	engine http.Handler

	mu    sync.Mutex // guards what follows
	point *regexp.Regexp
	kind  string // one of faults
	away  bool   // every connection is closed
	conns map[net.Conn]bool
	seen  []string // requests that change something, since the fault was set
}

// lameListener remembers the connections.
type lameListener struct {
	net.Listener
	*lame
}

func (l lameListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[conn] = true
	if l.away {
		return conn, conn.Close()
	}
	return conn, nil
}

// newLame puts itself between boathook and the engine until the end of the test.
func newLame(t *testing.T) *lame {
	t.Helper()
	engine, err := engineProxy(nil)
	if err != nil {
		t.Fatal(err)
	}
	l := &lame{engine: engine, conns: map[net.Conn]bool{}}
	socket := filepath.Join(t.TempDir(), "engine.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = http.Serve(lameListener{listener, l}, l) }) // ends with the listener
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		l.cut(false)
		serving.Wait()
	})
	t.Setenv("DOCKER_HOST", "unix://"+socket)
	return l
}

// fail sets the next fault, of which point is the request: METHOD PATH.
func (l *lame) fail(point, kind string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.point, l.kind, l.seen = regexp.MustCompile(point), kind, nil
}

// struck tells whether the fault has happened, and what was asked of the engine so far.
func (l *lame) struck() (bool, []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.point == nil, l.seen
}

// cut closes all connections, and if away all that come until the next call.
func (l *lame) cut(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
	for conn := range l.conns {
		_ = conn.Close() // may be closed already
	}
	clear(l.conns)
}

// back lets connections through again, and leaves those that there are alone: by now somebody may use them for something else.
func (l *lame) back() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = false
}

func (l *lame) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request := r.Method + " " + r.URL.Path
	l.mu.Lock()
	kind := ""
	if l.point != nil && l.point.MatchString(request+"?"+r.URL.RawQuery) {
		kind, l.point = l.kind, nil
	}
	if r.Method != http.MethodGet {
		l.seen = append(l.seen, request)
	}
	l.mu.Unlock()
	l.strike(kind, w, r)
}

// faults are the ways to fail.
var faults = []string{"answers 500", "goes away", "hangs", "goes away after the deed"}

// outage is how long a lame engine is away, or silent.
const outage = 700 * time.Millisecond

func (l *lame) strike(kind string, w http.ResponseWriter, r *http.Request) {
	switch kind {
	case "answers 500":
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(`{"message":"out of order"}`))
	case "goes away":
		l.cut(true)
		time.AfterFunc(outage, l.back)
	case "goes away after the deed": // the answer is lost
		ctx, cancel := context.WithTimeout(r.Context(), outage) // some answers last as long as a container
		l.engine.ServeHTTP(nowhere{http.Header{}}, r.WithContext(ctx))
		cancel()
		l.cut(true)
		time.AfterFunc(outage, l.back)
	case "hangs":
		time.Sleep(outage)
		l.cut(false)
	default:
		l.engine.ServeHTTP(w, r)
	}
}

// nowhere takes an answer that nobody gets.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n nowhere) WriteHeader(int)             {}

// phases are the requests of a deployment to the engine, by what they are for.
var phases = []struct{ name, point string }{
	{"the build container is made", `POST .*/containers/create\?name=.*-build-`},
	{"the hook is waited for", `POST .*/containers/[0-9a-f]*/wait`},
	{"a phase of the build begins", `POST .*/containers/[0-9a-f]*/exec`},
	{"a web container is made", `POST .*/containers/create\?name=.*web`},
	{"the build container is removed", `DELETE .*/containers/[0-9a-f]*`},
	{"the source is copied", `PUT .*/containers/.*/archive`},
	{"the build container starts", `POST .*/containers/[0-9a-f]*/start`},
	{"the image is made", `POST .*/commit`},
	{"the hook is attached to", `POST .*/containers/[0-9a-f]*/attach`},
	{"containers are kept", `POST .*/containers/[0-9a-f]*/update`},
	{"the old version is stopped", `POST .*/containers/[0-9a-f]*/stop`},
}

// TestEngineFaults lets the engine fail at one request of a deployment, in each phase and each way: the deployment succeeds all the same, or
// is refused with a sentence. The version before or the new one serves, nothing is left, and the same commit can be pushed again. In the end
// the engine restarts, and the containers have other addresses. With -every 1 it takes each phase with each fault.
func TestEngineFaults(t *testing.T) {
	scenes.NeedDocker(t)
	w := newWalk(t, "docker", scenes.Fixture(t))
	direct := os.Environ()
	l := newLame(t)
	b := w.serve()
	defer b.stop()
	pairs := len(phases) * len(faults)
	for i := range (pairs + *every - 1) / *every { // the numbers of phases and faults have no divisor in common, so i stands for a pair
		phase, fault := phases[i%len(phases)], faults[i%len(faults)]
		w.nextVersion()
		l.fail(phase.point, fault)
		out, err := w.tryGit("push", b.remote(), "HEAD:master")
		l.await(t, phase.name)
		outcome := "success"
		switch {
		case err == nil:
			b.serves(w.version)
		case strings.Contains(out, "The container engine does not answer"):
			outcome = "refused, as the engine does not answer"
			b.serves(w.version - 1)
		case strings.Contains(out, "Internal error in deployment") && fault == "answers 500":
			outcome = "refused, as an internal error"
			b.serves(w.version - 1)
		case strings.Contains(out, "could not be started") && fault == "answers 500": // the hook, or the application
			outcome = "refused, as what is to run could not be started"
			b.serves(w.version - 1)
		default:
			t.Fatalf("%s, the engine %s: no sentence to the pusher:\n%s", phase.name, fault, out)
		}
		t.Attr("outcome", fmt.Sprintf("%s: when %s, the engine %s", outcome, phase.name, fault))
		l.cut(false)
		b.push()
		b.serves(w.version)
		b.clean()
		if t.Failed() {
			return
		}
	}
	l.cut(true)
	restart(t, b, direct)
	l.cut(false)
	for end := time.Now().Add(patience); !b.answers(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the app does not answer after a restart of the engine")
		}
	}
	b.serves(w.version)
}

// await waits until the fault has happened: a retirement comes after the push.
func (l *lame) await(t *testing.T, phase string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		struck, seen := l.struck()
		if struck {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: no such request among\n%s", phase, strings.Join(seen, "\n"))
		}
	}
}

// restart does to the app's containers what a restart of the engine does: all end, then all start, in another order, which gives them other
// addresses. env reaches the engine.
func restart(t *testing.T, b *boat, env []string) {
	t.Helper()
	filter := "label=boathook.namespace=" + b.cfg.namespace
	docker := func(args ...string) []string {
		cmd := exec.Command("docker", args...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("docker %v: %v\n%s", args, err, out)
		}
		return strings.Fields(string(out))
	}
	ids := docker("ps", "-q", "--filter", filter)
	docker(append([]string{"stop", "-t", "1"}, ids...)...)
	slices.Reverse(ids)
	for _, id := range ids {
		docker("start", id)
	}
}
