package deploy

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"boathook/builder"
	"boathook/receive/applog"
	"boathook/receive/gitpack"
	"boathook/receive/state"
	"boathook/router"
	"boathook/runner"
	"boathook/runner/local"
)

// heads is a repository of refs only.
type heads map[string]string

func (h heads) Head(_ context.Context, _, ref string) (string, error) { return h[ref], nil }

func (h heads) SetHead(_ context.Context, _, ref, old, new string) error {
	if h[ref] != old {
		return errors.New("the ref is elsewhere")
	}
	h[ref] = new
	return nil
}

// shelf is a builder that only removes, and notes whether containers of the image were still there.
type shelf struct {
	builder.Builder
	engine  runner.Engine
	removed []string
}

func (s *shelf) Images(context.Context) ([]string, error) { return nil, nil }

func (s *shelf) Remove(ctx context.Context, ref string) error {
	instances, err := s.engine.List(ctx, runner.Selector{})
	if err != nil {
		return err
	}
	for _, i := range instances {
		if i.Image == ref {
			return errors.New("the image is in use")
		}
	}
	s.removed = append(s.removed, ref)
	return nil
}

// ruin is what a boathook that died has left: a store, a local engine and a router's table, for the next deployer.
type ruin struct {
	t      *testing.T
	dir    string
	store  *state.Store
	engine *local.Engine
	images *shelf
	table  *router.Router
	refs   heads
}

func newRuin(t *testing.T) *ruin {
	t.Helper()
	ctx := t.Context()
	r := &ruin{t: t, dir: t.TempDir(), table: router.New(router.Config{})}
	t.Cleanup(func() { check(t, r.table.Close()) })
	var err error
	r.store, err = state.Open(ctx, filepath.Join(r.dir, "boathook.db"))
	check(t, err)
	t.Cleanup(func() { check(t, r.store.Close()) })
	r.engine, err = local.New(local.Config{Dir: filepath.Join(r.dir, "local"), Log: slog.New(slog.DiscardHandler),
		Backoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond})
	check(t, err)
	t.Cleanup(func() {
		check(t, r.engine.Remove(context.Background(), runner.Selector{}, 0))
		check(t, r.engine.Close())
	})
	r.images = &shelf{engine: r.engine}
	_, err = r.store.CreateUser(ctx, "alice", false)
	check(t, err)
	_, err = r.store.CreateApp(ctx, "my-app", "alice")
	check(t, err)
	return r
}

// release makes one that was starting, of a worker that runs a command.
func (r *ruin) release(commit, command string) state.Release {
	r.t.Helper()
	ctx := r.t.Context()
	image := filepath.Join(r.dir, "image-"+commit)
	check(r.t, os.Mkdir(image, 0o755))
	d, err := r.store.CreateDeployment(ctx, state.Deployment{App: "my-app", Ref: "refs/heads/master", Commit: commit, Pusher: "alice"})
	check(r.t, err)
	release := state.Release{Deployment: d.ID, App: "my-app", Commit: commit, Image: image, Launcher: []string{"/bin/sh", "-c"},
		Types: map[string]string{"worker": command}}
	for _, status := range []state.Status{state.Building, state.Pushing, state.Starting} {
		check(r.t, r.store.SetStatus(ctx, d.ID, status, ""))
	}
	check(r.t, r.store.SaveRelease(ctx, release))
	return release
}

// deployer makes the one that comes after; it is closed at the end of the test.
func (r *ruin) deployer(limits Limits) *Deployer {
	d := New(Config{Store: r.store, Builder: r.images, Engine: r.engine, Router: r.table, Refs: r.refs, Logbook: logbook(r.t, r.dir), Limits: limits,
		AppsURL: &url.URL{Scheme: "http", Host: "example.com"}, Log: slog.New(slog.DiscardHandler)})
	r.t.Cleanup(d.Close)
	return d
}

// running lists the containers that run, by name and id.
func (r *ruin) running() map[string]string {
	r.t.Helper()
	all, err := r.engine.List(r.t.Context(), runner.Selector{App: "my-app"})
	check(r.t, err)
	found := map[string]string{}
	for _, i := range all {
		if i.Phase == runner.Running {
			found[i.Release+"/"+i.Name()] = i.ID
		}
	}
	return found
}

// eventually polls until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// TestRecover starts a deployer where another one died: one release is live but none of its containers runs, a second deployment
// was starting, with its containers there and its ref moved.
func TestRecover(t *testing.T) {
	ctx := t.Context()
	r := newRuin(t)
	live := r.release("c1", "sleep 600")
	formation := []state.ProcessType{{Name: "worker", Command: "sleep 600", Amount: 2, Size: "M"}}
	check(t, r.store.GoLive(ctx, live.Deployment, formation))
	dead := r.release("c2", "sleep 600")
	r.refs = heads{"refs/heads/master": "c2", "refs/heads/main": gitpack.ZeroID}
	d := r.deployer(Limits{})
	spec, err := d.spec(state.App{Name: "my-app"}, dead, nil, formation[0])
	check(t, err)
	_, err = r.engine.Start(ctx, spec)
	check(t, err)

	check(t, d.Recover(ctx))

	after, err := r.store.Deployment(ctx, dead.Deployment)
	check(t, err)
	if after.Status != state.Aborted {
		t.Errorf("the dead deployment reads %s", after.Status)
	}
	if r.refs["refs/heads/master"] != "c1" {
		t.Errorf("master is at %s, not at the commit that is live", r.refs["refs/heads/master"])
	}
	if diff := cmp.Diff([]string{dead.Image}, r.images.removed); diff != "" {
		t.Errorf("removed images:\n%s", diff)
	}
	eventually(t, "the live release runs", func() bool {
		running := r.running()
		return len(running) == 2 && running["1/worker-1"] != "" && running["1/worker-2"] != ""
	})
	if routes := r.table.Routes(); len(routes) != 1 || routes[0].Release != "1" || !routes[0].Serving {
		t.Errorf("routes: %+v", routes)
	}
}

// TestRecoverBesideARename starts a deployer after one that died when an app had just got its name: what has the former one serves until routers
// elsewhere know.
func TestRecoverBesideARename(t *testing.T) {
	ctx := t.Context()
	r := newRuin(t)
	live := r.release("c1", "sleep 600")
	worker := state.ProcessType{Name: "worker", Command: "sleep 600", Amount: 1, Size: "M"}
	check(t, r.store.GoLive(ctx, live.Deployment, []state.ProcessType{worker}))
	r.refs = heads{"refs/heads/master": "c1"}
	d := r.deployer(Limits{})
	spec, err := d.spec(state.App{Name: "my-app"}, live, nil, worker)
	check(t, err)
	_, err = r.engine.Start(ctx, spec)
	check(t, err)
	check(t, r.store.RenameApp(ctx, "my-app", "new-app", state.AuditEntry{App: "new-app", Action: state.RenamedFrom + "my-app", Result: "ok"}))
	follow := make(chan struct{})
	d.Followed = func(context.Context) error { <-follow; return nil }

	check(t, d.Recover(ctx))

	if running := r.running(); len(running) != 1 {
		t.Errorf("under the former name run %v", running)
	}
	close(follow)
	eventually(t, "the former name's goes", func() bool { return len(r.running()) == 0 })
	eventually(t, "the new name's runs", func() bool {
		all, err := r.engine.List(ctx, runner.Selector{App: "new-app"})
		check(t, err)
		return len(all) == 1
	})
}

// TestReviveLater: an app whose containers the engine did not tell of at the start is served when it does.
func TestReviveLater(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		s.d.routes.remove("my-app")
		s.engine.fail("list", errors.New("the engine is busy"))
		check(t, s.d.Recover(t.Context()))
		time.Sleep(time.Minute) // of the bubble's clock
		if targets := s.targets(); len(targets) > 0 {
			t.Fatalf("served by %v", targets)
		}
		s.engine.fail("list", nil)
		time.Sleep(time.Minute)
		if targets := s.targets(); !cmp.Equal(targets, []string{"web-1"}) {
			t.Errorf("served by %v", targets)
		}
	})
}

// TestKeepsTheFormation: of a release's containers the engine starts those again that are to run for ever.
func TestKeepsTheFormation(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		for n, processType := range []string{oneOff, postdeployHook} {
			_, err := s.engine.Start(t.Context(), runner.Spec{Group: runner.Group{App: "my-app", Release: "1", Type: processType}, Argv: []string{"once"}, First: n + 1, Replicas: 1})
			check(t, err)
		}
		s.engine.kept = nil
		app, err := s.store.App(t.Context(), "my-app")
		check(t, err)
		check(t, s.d.revive(t.Context(), app))
		if got := s.engine.kept; !cmp.Equal(got, []string{"web-1"}) {
			t.Errorf("kept are %v", got)
		}
	})
}

// TestRecoverPrunes starts a deployer after one that died before it had removed an image too many.
func TestRecoverPrunes(t *testing.T) {
	ctx := t.Context()
	r := newRuin(t)
	formation := []state.ProcessType{{Name: "worker", Command: "sleep 600", Amount: 0, Size: "M"}}
	for _, commit := range []string{"c1", "c2", "c3"} {
		check(t, r.store.GoLive(ctx, r.release(commit, "sleep 600").Deployment, formation))
	}
	r.refs = heads{"refs/heads/master": "c3"}

	check(t, r.deployer(Limits{Releases: 2}).Recover(ctx))

	eventually(t, "the two newest releases are kept, and no other", func() bool {
		kept, err := r.store.Releases(ctx, "my-app")
		check(t, err)
		return len(kept) == 2 && kept[0].Commit == "c3" && kept[1].Commit == "c2"
	})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// logbook opens the logs below dir until the test ends.
func logbook(t *testing.T, dir string) *applog.Store {
	t.Helper()
	book, err := applog.Open(filepath.Join(dir, "logs"), 10<<20)
	check(t, err)
	t.Cleanup(func() { check(t, book.Close()) })
	return book
}
