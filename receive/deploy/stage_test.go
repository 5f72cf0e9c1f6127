package deploy

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"boathook/builder"
	"boathook/receive/apps"
	"boathook/receive/state"
	"boathook/router"
	"boathook/runner"
)

// stage is a deployer among puppets: an engine, a builder and a router that do what the commands of the process types say, and
// a real store. All of them write down what happens. It lives in a synctest bubble.
type stage struct {
	t        *testing.T
	store    *state.Store
	database string // its file
	engine   *puppet
	builder  *mason
	router   *router.Router
	requests chan net.Conn // the containers' ends of the router's connections
	d        *Deployer
	options  Options // of deploy
	refused  error   // what Publish answers
	ready    func(context.Context) error

	mu     sync.Mutex // guards what follows
	events []string
	cues   map[string]func() // what to do when an event happens
}

// newStage opens a store with the app my-app. The caller closes it.
func newStage(t *testing.T, limits Limits) *stage {
	t.Helper()
	s := &stage{t: t, requests: make(chan net.Conn), cues: map[string]func(){}}
	s.router = router.New(router.Config{Dial: s.dial})
	s.database = filepath.Join(t.TempDir(), "boathook.db")
	store, err := state.Open(t.Context(), s.database)
	check(t, err)
	s.store = store
	_, err = store.CreateUser(t.Context(), "alice", false)
	check(t, err)
	_, err = store.CreateApp(t.Context(), "my-app", "alice")
	check(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts
	check(t, err)
	s.engine = &puppet{stage: s, listener: listener, instances: map[string]*runner.Instance{}, changed: make(chan struct{}),
		specs: map[string]runner.Spec{}, limits: map[string]runner.Limits{}, fails: map[string]error{}}
	s.builder = &mason{stage: s}
	s.d = New(Config{Store: store, Builder: s.builder, Engine: s.engine, Router: scribe{s.router, s}, Refs: heads{}, Logbook: logbook(t, t.TempDir()), Limits: limits,
		AppsURL: &url.URL{Scheme: "http", Host: "example.com"}, Log: slog.New(slog.DiscardHandler)})
	return s
}

func (s *stage) close() {
	s.t.Helper()
	s.d.Close()
	check(s.t, errors.Join(s.router.Close(), s.engine.listener.Close(), s.store.Close()))
}

// dial connects the router to a container, in memory, as the bubble's clock stands still while somebody reads from a socket.
func (s *stage) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case s.requests <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *stage) event(format string, args ...any) {
	event := fmt.Sprintf(format, args...)
	s.mu.Lock()
	s.events = append(s.events, event)
	cue := s.cues[event]
	s.mu.Unlock()
	if cue != nil {
		cue()
	}
}

// take returns the events since the last call.
func (s *stage) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := s.events
	s.events = nil
	return events
}

// on does something when an event happens.
func (s *stage) on(event string, cue func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cues[event] = cue
}

// deploy deploys an app of these process types and returns what the pusher saw.
func (s *stage) deploy(ctx context.Context, types map[string]string) (string, error) {
	s.builder.mu.Lock()
	s.builder.types = types
	s.builder.mu.Unlock()
	var out bytes.Buffer
	err := s.d.Deploy(ctx, Request{
		App: "my-app", Pusher: "alice", Ref: "refs/heads/master", Commit: "c0ffee", Options: s.options, Out: &out, Ready: s.ready,
		Publish: func(context.Context) error { s.event("publish"); return s.refused },
		Revert:  func(context.Context) error { s.event("revert"); return nil },
	})
	return out.String(), err
}

// redeploy is the deployer's, without the number.
func (s *stage) redeploy(ctx context.Context, again apps.Redeployment) error {
	_, err := s.d.Redeploy(ctx, again)
	return err
}

// mason is a builder of images without content.
type mason struct {
	builder.Builder
	*stage
	mu    sync.Mutex // guards what follows
	types map[string]string
	ref   string // of every image; "" gives each its own
}

// Build fails if there is a type "fail", and never ends if there is one "hang".
func (m *mason) Build(ctx context.Context, req builder.Request) (builder.Image, error) {
	m.event("build %s", req.Deployment)
	if req.NoCache {
		m.event("without cache")
	}
	m.mu.Lock()
	types, ref := m.types, cmp.Or(m.ref, "image-"+req.Deployment)
	m.mu.Unlock()
	if why, broken := types["fail"]; broken {
		return builder.Image{}, &builder.Failure{Summary: why}
	}
	if _, hangs := types["hang"]; hangs {
		<-ctx.Done()
		return builder.Image{}, ctx.Err()
	}
	return builder.Image{Ref: ref, Types: types, Launcher: []string{"sh", "-c"}}, nil
}

func (m *mason) Images(context.Context) ([]string, error) { return nil, nil }

func (m *mason) DeleteCache(context.Context, string) error {
	m.event("delete the cache")
	return nil
}

func (m *mason) Remove(_ context.Context, ref string) error {
	m.event("discard %s", ref)
	return nil
}

// scribe notes which release the router serves.
type scribe struct {
	*router.Router
	stage *stage
}

func (s scribe) Set(route router.Route) *router.Drain {
	s.stage.event("serve %s", route.Release)
	return s.Router.Set(route)
}

// puppet is an engine in memory. The last word of a command line says what a container does: "listen" and "deaf" are up, with
// and without a listening port, "die" ends with status 3 a second after its start, "faint" listens and ends after five. Hooks of Run: "fail" ends with status 7, "hang"
// with its context, everything else well.
//
// It cannot take package enginetest's suite, whose commands are a shell's, with files, signals and output: an engine that ran them would be
// another local one, and its processes would not live on a bubble's clock. What it does keep of the contract is what the story counts on:
// numbers that are taken, a Start that leaves nothing when it fails, snapshots, and one-offs that end with their context.
type puppet struct {
	runner.Engine
	*stage
	listener net.Listener

	mu        sync.Mutex // guards what follows
	instances map[string]*runner.Instance
	changed   chan struct{} // closed at every change
	made      int
	specs     map[string]runner.Spec   // the newest of each process type
	limits    map[string]runner.Limits // by id
	fails     map[string]error         // by event, or by method
	kept      []string                 // names of those that Keep was told of
	said      string                   // what each container has printed; "" for "no database"
}

func (p *puppet) Start(ctx context.Context, spec runner.Spec) (started []runner.Instance, err error) {
	for number := max(spec.First, 1); number < max(spec.First, 1)+spec.Replicas && err == nil; number++ {
		event := fmt.Sprintf("start %s-%d", spec.Type, number)
		p.event("%s", event)
		if err = errors.Join(p.failure(event), ctx.Err()); err == nil {
			var i runner.Instance
			i, err = p.add(spec, number)
			started = append(started, i)
		}
	}
	if err != nil {
		for _, i := range started {
			p.forget(i.ID)
		}
		return nil, err
	}
	return started, nil
}

func (p *puppet) add(spec runner.Spec, number int) (runner.Instance, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, other := range p.instances {
		if other.Group == spec.Group && other.Number == number {
			return runner.Instance{}, fmt.Errorf("%s exists already", other.Name())
		}
	}
	p.made++
	p.specs[spec.Type] = spec
	i := &runner.Instance{Group: spec.Group, ID: fmt.Sprint("id-", p.made), Number: number, Phase: runner.Running, Image: spec.Image, Started: time.Now()}
	switch spec.Argv[len(spec.Argv)-1] {
	case "listen":
		i.Addr = p.listener.Addr().String()
	case "faint":
		i.Addr = p.listener.Addr().String()
		time.AfterFunc(5*time.Second, func() { p.end(i.ID) })
	case "deaf":
		i.Addr = "127.0.0.1:1" // tcpmux, which nobody has
	case "die":
		time.AfterFunc(time.Second, func() { p.end(i.ID) })
	}
	p.instances[i.ID], p.limits[i.ID] = i, spec.Limits
	p.tell()
	return *i, nil
}

// Lines implements runner.Engine: puppets are silent.
func (p *puppet) Lines(ctx context.Context, _, _ string, _ func(runner.Line) error) error {
	<-ctx.Done()
	return ctx.Err()
}

func (p *puppet) forget(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.instances, id)
	p.tell()
}

// spec is the newest of a process type.
func (p *puppet) spec(processType string) runner.Spec {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.specs[processType]
}

// fail makes the engine fail at an event ("start web-1", "postdeploy"), or a method of its own ("list", "watch", "remove"); with nil
// no more.
func (p *puppet) fail(event string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fails[event] = err
}

func (p *puppet) failure(event string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fails[event]
}

// end lets a container exit with status 3.
func (p *puppet) end(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := p.instances[id]; i != nil {
		i.Phase, i.ExitCode, i.Addr = runner.Exited, 3, ""
		p.tell()
	}
}

// endNumber lets the containers with a number exit.
func (p *puppet) endNumber(number int) {
	found, _ := p.list(runner.Selector{})
	for _, i := range found {
		if i.Number == number {
			p.end(i.ID)
		}
	}
}

// startAnew gives a container another run, a second later than the one before, at an address.
func (p *puppet) startAnew(name, addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range p.instances {
		if i.Name() == name {
			i.Started, i.Addr = i.Started.Add(time.Second), addr
		}
	}
	p.tell()
}

// tell wakes those who watch. p.mu is held.
func (p *puppet) tell() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *puppet) list(sel runner.Selector) (found []runner.Instance, changed chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range p.instances {
		if sel.Matches(i.Group) {
			found = append(found, *i)
		}
	}
	slices.SortFunc(found, func(a, b runner.Instance) int {
		return strings.Compare(a.Group.String()+a.Name(), b.Group.String()+b.Name())
	})
	return found, p.changed
}

func (p *puppet) List(_ context.Context, sel runner.Selector) ([]runner.Instance, error) {
	found, _ := p.list(sel)
	return found, p.failure("list")
}

func (p *puppet) Watch(ctx context.Context, sel runner.Selector) (<-chan []runner.Instance, error) {
	if err := p.failure("watch"); err != nil {
		return nil, err
	}
	snapshots := make(chan []runner.Instance)
	go func() {
		defer close(snapshots)
		for {
			found, changed := p.list(sel)
			select {
			case snapshots <- found:
			case <-ctx.Done():
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return snapshots, nil
}

func (p *puppet) Run(ctx context.Context, spec runner.Spec, with runner.IO) (runner.Exit, error) {
	p.event("%s", spec.Type)
	if err := p.failure(spec.Type); err != nil {
		return runner.Exit{}, err
	}
	i, err := p.add(spec, spec.First)
	if err != nil {
		return runner.Exit{}, err
	}
	defer p.forget(i.ID)
	switch spec.Argv[len(spec.Argv)-1] {
	case "fail":
		fmt.Fprintln(with.Out, "table is locked")
		return runner.Exit{Code: 7}, nil
	case "hang":
		<-ctx.Done()
		return runner.Exit{}, ctx.Err()
	}
	fmt.Fprintln(with.Out, "migrated")
	return runner.Exit{}, nil
}

func (p *puppet) Groups(context.Context) (groups []runner.Group, _ error) {
	all, _ := p.list(runner.Selector{})
	for _, i := range all {
		if !slices.Contains(groups, i.Group) {
			groups = append(groups, i.Group)
		}
	}
	return groups, nil
}

func (p *puppet) Logs(_ context.Context, _ string, _ runner.LogOptions, w io.Writer) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := io.WriteString(w, cmp.Or(p.said, "no database\n"))
	return err
}

func (p *puppet) Keep(_ context.Context, sel runner.Selector) error {
	p.event("keep %s", sel.Release)
	found, _ := p.list(sel)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range found {
		p.kept = append(p.kept, i.Name())
	}
	return nil
}

func (p *puppet) RemoveInstance(ctx context.Context, id string, _ time.Duration) error {
	p.mu.Lock()
	i := p.instances[id]
	p.mu.Unlock()
	if i == nil {
		return nil
	}
	event := "stop " + i.Name()
	p.event("%s", event)
	if err := errors.Join(p.failure(event), ctx.Err()); err != nil {
		return err
	}
	p.forget(id)
	return nil
}

func (p *puppet) Remove(_ context.Context, sel runner.Selector, grace time.Duration) error {
	p.event("remove %s after %s", sel.Release, grace)
	if err := p.failure("remove"); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, i := range p.instances {
		if sel.Matches(i.Group) {
			delete(p.instances, id)
		}
	}
	p.tell()
	return nil
}
