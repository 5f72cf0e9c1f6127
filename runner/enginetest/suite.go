package enginetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"boathook/runner"
)

// patience bounds each test of the suite. Nothing is asserted about time.
const patience = 5 * time.Minute

// Run runs the whole suite as parallel subtests of t.
func Run(t *testing.T, h Harness) {
	tests := []struct {
		name string
		test func(*testing.T, *fixture)
	}{
		{"start numbers", testNumbers},
		{"start environment", testEnvironment},
		{"start port", testPort},
		{"start missing image", testStartMissingImage},
		{"start taken number", testStartTakenNumber},
		{"start canceled", testStartCanceled},
		{"start zero replicas", testStartNone},
		{"exit code of an instance", testInstanceExit},
		{"keep", testKeep},
		{"run exit codes", testRunExit},
		{"run output", testRunOutput},
		{"run canceled", testRunCanceled},
		{"run held output", testRunHeldOutput},
		{"run listed and removed", testRunRemoved},
		{"run missing image", testRunMissingImage},
		{"run arguments", testRunArguments},
		{"run entry point", testEntrypoint},
		{"run streams", testRunStreams},
		{"run without input", testRunNoInput},
		{"run bytes", testRunBytes},
		{"run unread input", testRunUnread},
		{"run terminal", testRunTerminal},
		{"run terminal canceled", testRunTerminalCanceled},
		{"files apart", testFiles},
		{"memory limit", testMemory},
		{"process limit", testPIDs},
		{"logs", testLogs},
		{"lines", testLines},
		{"lines gone on with", testLinesAgain},
		{"logs missing", testLogsMissing},
		{"signal", testSignal},
		{"signal to what does not run", testSignalMissing},
		{"stats", testStats},
		{"stats of what does not run", testStatsMissing},
		{"watch", testWatch},
		{"watch slow reader", testWatchSlow},
		{"selector", testSelector},
		{"groups", testGroups},
		{"remove politely", testRemoveTerm},
		{"remove by force", testRemoveKill},
		{"remove children", testRemoveChildren},
		{"remove nothing", testRemoveNothing},
		{"remove instance", testRemoveInstance},
		{"side by side", testConcurrent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.test(t, newFixture(t, h))
		})
	}
}

// fixture is an engine and an app of one test.
type fixture struct {
	Harness
	engine runner.Engine
	app    string
	ctx    context.Context
}

func newFixture(t *testing.T, h Harness) *fixture {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	f := &fixture{Harness: h, engine: h.New(t), app: "et-" + strings.ToLower(rand.Text()[:10]), ctx: ctx}
	t.Cleanup(func() {
		cancel()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := f.engine.Remove(ctx, runner.Selector{}, 0); err != nil {
			t.Errorf("clean up: %v", err)
		}
		if err := f.engine.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return f
}

// spec is one replica of TYPE that runs a bash command.
func (f *fixture) spec(typ, command string) runner.Spec {
	return runner.Spec{
		Group:    runner.Group{App: f.app, Release: "1", Type: typ},
		Image:    f.Image,
		Argv:     append(append([]string{}, f.Launcher...), command),
		Replicas: 1,
	}
}

func (f *fixture) start(t *testing.T, spec runner.Spec) []runner.Instance {
	t.Helper()
	started, err := f.engine.Start(f.ctx, spec)
	if err != nil {
		t.Fatalf("start %s: %v", spec.Group, err)
	}
	return started
}

func (f *fixture) list(t *testing.T, sel runner.Selector) []runner.Instance {
	t.Helper()
	list, err := f.engine.List(f.ctx, sel)
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	return list
}

func (f *fixture) run(t *testing.T, spec runner.Spec) (runner.Exit, string) {
	t.Helper()
	var out buffer
	exit, err := f.engine.Run(f.ctx, spec, runner.IO{Out: &out})
	if err != nil {
		t.Fatalf("run %s: %v", spec.Group, err)
	}
	return exit, out.String()
}

// empty fails if a container of the app is left.
func (f *fixture) empty(t *testing.T) {
	t.Helper()
	if left := f.list(t, runner.Selector{App: f.app}); len(left) > 0 {
		t.Errorf("left behind: %+v", left)
	}
}

// exited waits until the instance has ended, and returns it.
func (f *fixture) exited(t *testing.T, id string) runner.Instance {
	t.Helper()
	var found runner.Instance
	f.eventually(t, "instance "+id+" exits", func() bool {
		for _, i := range f.list(t, runner.Selector{App: f.app}) {
			if i.ID == id && i.Phase == runner.Exited {
				found = i
				return true
			}
		}
		return false
	})
	return found
}

// eventually polls until ok or the end of the fixture's patience.
func (f *fixture) eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-f.ctx.Done():
			t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}

// accepts tells whether somebody listens at addr.
func (f *fixture) accepts(addr string) bool {
	ctx, cancel := context.WithTimeout(f.ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// follow writes the instance's lines to the returned buffer until the instance ends; the error comes on the channel.
func (f *fixture) follow(id string) (*buffer, <-chan error) {
	out, done := &buffer{}, make(chan error, 1)
	go func() { done <- f.engine.Lines(f.ctx, id, "", func(l runner.Line) error { return out.line(l) }) }()
	return out, done
}

func (b *buffer) line(l runner.Line) error {
	_, err := b.Write(append(l.Text, '\n'))
	return err
}

// buffer is a bytes.Buffer that can be read while it is written to.
type buffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *buffer) has(s string) func() bool {
	return func() bool { return strings.Contains(b.String(), s) }
}
