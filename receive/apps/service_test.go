package apps

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"boathook/receive/state"
)

func silent(string) {}

// fakeRuntime is what the deployer does, in a map.
type fakeRuntime struct {
	rerouted  []string // apps
	store     *state.Store
	destroyed []string
	turn      func() // what happens before it is a scaling's turn
	fail      error  // of every method
}

func (r *fakeRuntime) Instances(_ context.Context, app string) ([]Container, error) {
	return []Container{{Name: "web-1", State: "running"}}, r.fail
}

func (r *fakeRuntime) Scale(ctx context.Context, name string, want Wish, _ func(string)) error {
	if r.turn != nil {
		r.turn()
	}
	app, err := r.store.App(ctx, name)
	if err != nil {
		return err
	}
	var types map[string]string
	if app.Live != 0 {
		release, err := r.store.Release(ctx, app.Live)
		if err != nil {
			return err
		}
		types = release.Types
	}
	formation, err := r.store.Formation(ctx, name)
	if err != nil {
		return err
	}
	changed, err := want(formation, types)
	if err != nil {
		return err
	}
	return errors.Join(r.fail, r.store.SetFormation(ctx, name, changed))
}

func (r *fakeRuntime) Restart(context.Context, string, []string, func(string)) error { return r.fail }

func (r *fakeRuntime) Statuses(context.Context, []state.App) (map[string]string, error) {
	return nil, r.fail
}

func (r *fakeRuntime) Signal(_ context.Context, _, _ string, to []string) ([]string, error) {
	return to, r.fail
}

func (r *fakeRuntime) Stats(context.Context, string) ([]Usage, error) { return nil, r.fail }

func (r *fakeRuntime) Redeploy(context.Context, Redeployment) (int64, error) { return 0, r.fail }

func (r *fakeRuntime) FollowDeployment(ctx context.Context, id int64, w io.Writer) error {
	_, err := r.store.WriteLog(ctx, id, 0, w)
	return err
}

func (r *fakeRuntime) CancelDeployment(context.Context, string, int64, string) error { return r.fail }

func (r *fakeRuntime) Reroute(_ context.Context, app string) error {
	r.rerouted = append(r.rerouted, app)
	return nil
}

func (r *fakeRuntime) URL(app string) string { return "http://" + app + ".apps.example.com" }

func (r *fakeRuntime) DeleteCache(context.Context, string) error { return r.fail }

func (r *fakeRuntime) Destroy(_ context.Context, app string, _ func(string)) error {
	r.destroyed = append(r.destroyed, app)
	return r.fail
}

func (r *fakeRuntime) Rename(ctx context.Context, app, to string, commit func(context.Context) error) error {
	return errors.Join(r.fail, commit(ctx))
}

func (r *fakeRuntime) SetRouterLogs(context.Context, string, bool) error { return r.fail }

func (r *fakeRuntime) Run(_ context.Context, _ string, o OneOff) (int, error) {
	o.Started("one-off-1234")
	return 3, r.fail
}

func (r *fakeRuntime) StopOneOff(context.Context, string, string) error { return r.fail }

func (r *fakeRuntime) Logs(_ context.Context, app string, opt LogOptions, w io.Writer) error {
	_, err := fmt.Fprintln(w, "[web-1] of", app)
	return errors.Join(r.fail, err)
}

// fakeRepositories is the names of those that exist.
type fakeRepositories struct {
	exist map[string]bool
	fail  error
}

func (r *fakeRepositories) Create(_ context.Context, app string) error {
	r.exist[app] = r.fail == nil
	return r.fail
}

func (r *fakeRepositories) Remove(_ context.Context, app string) error {
	delete(r.exist, app)
	return r.fail
}

func (r *fakeRepositories) Rename(ctx context.Context, from, to string, commit func(context.Context) error) error {
	if r.fail != nil {
		return r.fail
	}
	err := commit(ctx)
	if err == nil {
		r.exist[to] = r.exist[from]
		delete(r.exist, from)
	}
	return err
}

// world is a service with one app: my-app of olga's, colin collaborates, lily in a limited way, steve is a stranger and adam
// an administrator. It was deployed once.
type world struct {
	*Service
	t            *testing.T
	store        *state.Store
	runtime      *fakeRuntime
	repositories *fakeRepositories
	deployment   int64
}

var (
	operator = Caller{Operator: true}
	adam     = Caller{User: "adam", Admin: true}
	olga     = Caller{User: "olga"}
	colin    = Caller{User: "colin"}
	lily     = Caller{User: "lily"}
	steve    = Caller{User: "steve", Fingerprint: "SHA256:s", Remote: "192.0.2.1:5"}
)

// template is the database of a world, which is made once: a transaction is an fsync.
var template struct {
	once       sync.Once
	db         []byte
	deployment int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	template.once.Do(func() {
		path := filepath.Join(t.TempDir(), "boathook.db")
		w := openWorld(t, path)
		w.settle()
		template.deployment = w.deployment
		w.must(w.store.Close())
		var err error
		template.db, err = os.ReadFile(path)
		w.must(err)
	})
	path := filepath.Join(t.TempDir(), "boathook.db")
	if err := os.WriteFile(path, template.db, 0o600); err != nil {
		t.Fatal(err)
	}
	w := openWorld(t, path)
	w.deployment = template.deployment
	w.repositories.exist["my-app"] = true
	return w
}

func openWorld(t *testing.T, path string) *world {
	t.Helper()
	store, err := state.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, store: store, runtime: &fakeRuntime{store: store}, repositories: &fakeRepositories{exist: map[string]bool{}}}
	w.Service = New(Config{Store: store, Runtime: w.runtime, Repositories: w.repositories})
	return w
}

// settle fills an empty world.
func (w *world) settle() {
	w.t.Helper()
	ctx := w.t.Context()
	for _, c := range []Caller{adam, olga, colin, lily, steve} {
		w.must(w.AddUser(ctx, operator, c.User, c.Admin))
	}
	_, err := w.Create(ctx, olga, "my-app", "")
	w.must(err)
	w.must(w.AddCollaborator(ctx, olga, "my-app", "colin", Collaborator))
	w.must(w.AddCollaborator(ctx, olga, "my-app", "lily", LimitedCollaborator))
	w.deploy()
}

// deploy makes a release of my-app with web, worker and a hook go live.
func (w *world) deploy() {
	w.t.Helper()
	w.deployment = w.deployTypes(map[string]string{"web": "run", "worker": "work", "postdeploy": "migrate"}, state.ProcessType{Name: "web", Amount: 1, Size: "M"})
}

// deployTypes makes a release of my-app go live, and returns its deployment.
func (w *world) deployTypes(types map[string]string, formation ...state.ProcessType) int64 {
	w.t.Helper()
	ctx := w.t.Context()
	d, err := w.store.CreateDeployment(ctx, state.Deployment{App: "my-app", Pusher: "olga"})
	w.must(err)
	for _, status := range []state.Status{state.Building, state.Pushing, state.Starting} {
		w.must(w.store.SetStatus(ctx, d.ID, status, ""))
	}
	w.must(w.store.AppendLog(ctx, d.ID, []byte("built\n")))
	w.must(w.store.SaveRelease(ctx, state.Release{Deployment: d.ID, App: "my-app", Types: types}))
	w.must(w.store.GoLive(ctx, d.ID, formation))
	return d.ID
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// wantText checks that err is a sentence with text in it; "" is no error.
func wantText(t *testing.T, err error, text string) {
	t.Helper()
	if (err == nil) != (text == "") || err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want %q", err, text)
	}
}
