package command

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"boathook/receive/apps"
	"boathook/receive/state"

	"golang.org/x/crypto/ssh"
)

// fakeRuntime has one container, whose command line means ill.
type fakeRuntime struct {
	rerouted  []string // apps
	store     *state.Store
	asked     apps.LogOptions
	restarted []string

	restartFails error
	hookFails    error
	ahead        string // whom Scale, Restart and Destroy wait for, "" nobody
	followed     func() // called when a log is followed, until the context ends; nil: it ends by itself
}

func (r *fakeRuntime) wait(waiting func(string)) {
	if r.ahead != "" {
		waiting("Waiting for " + r.ahead + " to finish...")
	}
}

func (r *fakeRuntime) Instances(context.Context, string) ([]apps.Container, error) {
	return []apps.Container{{Name: "web-1", State: "running", Size: "M", Command: "run\x1b[2J\tx", Since: time.Unix(1_700_000_000, 0)}}, nil
}

func (r *fakeRuntime) Scale(ctx context.Context, app string, want apps.Wish, waiting func(string)) error {
	r.wait(waiting)
	formation, err := r.store.Formation(ctx, app)
	if err != nil {
		return err
	}
	changed, err := want(formation, map[string]string{"web": "run", "worker": "work"})
	if err != nil {
		return err
	}
	return r.store.SetFormation(ctx, app, changed)
}

func (r *fakeRuntime) Restart(_ context.Context, _ string, types []string, waiting func(string)) error {
	r.wait(waiting)
	r.restarted = types
	return r.restartFails
}

// Signal knows web-1 alone.
func (r *fakeRuntime) Signal(_ context.Context, app, signal string, to []string) ([]string, error) {
	for _, name := range to {
		if name != "web-1" && name != "web" {
			return nil, fmt.Errorf("%s is sent to nobody: %s has no %s", signal, app, name)
		}
	}
	return []string{"web-1"}, nil
}

func (r *fakeRuntime) Stats(context.Context, string) ([]apps.Usage, error) {
	return []apps.Usage{{Name: "web-1", CPU: 12.345, Memory: 100 << 20, Limit: 512 << 20}, {Name: "worker-1", Memory: 1536}}, nil
}

func (r *fakeRuntime) Statuses(_ context.Context, all []state.App) (map[string]string, error) {
	statuses := map[string]string{}
	for _, app := range all {
		statuses[app.Name] = "running"
	}
	return statuses, nil
}

func (r *fakeRuntime) Redeploy(_ context.Context, again apps.Redeployment) (id int64, err error) {
	if !again.HookOnly {
		id = 1
	}
	_, err = fmt.Fprintf(again.Out, "%d by %s, hook left out %v, alone %v\n", again.From, again.User, again.NoHook, again.HookOnly)
	return id, errors.Join(err, r.hookFails)
}

func (r *fakeRuntime) FollowDeployment(ctx context.Context, id int64, w io.Writer) error {
	_, err := r.store.WriteLog(ctx, id, 0, w)
	return err
}

func (r *fakeRuntime) CancelDeployment(_ context.Context, _ string, id int64, by string) error {
	if id == 7 {
		return fmt.Errorf("deployment 7 is cancelled by %s", by)
	}
	return nil
}

func (r *fakeRuntime) Reroute(_ context.Context, app string) error {
	r.rerouted = append(r.rerouted, app)
	return nil
}

func (r *fakeRuntime) URL(app string) string { return "http://" + app + ".apps.example.com" }

func (r *fakeRuntime) DeleteCache(context.Context, string) error { return nil }

func (r *fakeRuntime) Destroy(_ context.Context, _ string, waiting func(string)) error {
	r.wait(waiting)
	return nil
}

func (r *fakeRuntime) Rename(ctx context.Context, _, _ string, commit func(context.Context) error) error {
	return commit(ctx)
}

func (r *fakeRuntime) Logs(ctx context.Context, _ string, opt apps.LogOptions, w io.Writer) error {
	r.asked = opt
	if opt.Follow && r.followed != nil {
		r.followed()
		<-ctx.Done()
		return ctx.Err()
	}
	text := "[web-1] hello\n"
	if opt.JSON {
		text = `{"name":"web-1","text":"` + "\u009b2Jhello" + `"}` + "\n" // as package json leaves it
	}
	_, err := io.WriteString(w, text)
	return err
}

func (r *fakeRuntime) Run(_ context.Context, app string, o apps.OneOff) (int, error) {
	o.Started("one-off-1234")
	if o.Detached {
		return 0, nil
	}
	if o.Command == "exit 7" {
		return 7, nil
	}
	input, err := io.ReadAll(o.In)
	fmt.Fprintf(o.Out, "%s %s %v: %s %s\n", app, o.Size, o.Env, o.Command, input)
	return 0, err
}

func (r *fakeRuntime) StopOneOff(_ context.Context, app, container string) error {
	if container != "one-off-1234" {
		return fmt.Errorf("%s runs no such one-off: 'ps %s' lists them", app, app)
	}
	return nil
}

func (r *fakeRuntime) SetRouterLogs(ctx context.Context, app string, on bool) error {
	return r.store.SetRouterLogs(ctx, app, on)
}

// fakeCertificates has one for my-app, which could not be renewed.
type fakeCertificates struct{}

func (fakeCertificates) Certificate(host string) apps.Certificate {
	if host != "my-app.apps.example.com" {
		return apps.Certificate{}
	}
	return apps.Certificate{Issuer: "CN=authority", NotAfter: time.Unix(1_700_000_000, 0), Problem: "was not renewed"}
}

type fakeRepositories struct{}

func (fakeRepositories) Create(context.Context, string) error { return nil }
func (fakeRepositories) Remove(context.Context, string) error { return nil }
func (fakeRepositories) Rename(ctx context.Context, _, _ string, commit func(context.Context) error) error {
	return commit(ctx)
}

// world is a service with users alice, who owns my-app (deployed) and new-app (not deployed), bob, who is nothing to it, and
// lily, who is a limited collaborator of my-app.
type world struct {
	t       *testing.T
	store   *state.Store
	runtime *fakeRuntime
	service *apps.Service
}

var (
	operator = apps.Caller{Operator: true}
	alice    = apps.Caller{User: "alice"}
	bob      = apps.Caller{User: "bob"}
	lily     = apps.Caller{User: "lily"}
)

// template is the data of a world, which is made once: a transaction is an fsync.
var template struct {
	once  sync.Once
	files map[string][]byte
}

func newWorld(t *testing.T) *world {
	t.Helper()
	template.once.Do(func() {
		dir := t.TempDir()
		w := openWorld(t, dir)
		w.settle()
		w.must(w.store.Close())
		template.files = map[string][]byte{}
		for _, name := range []string{"boathook.db", "secrets.key"} {
			text, err := os.ReadFile(filepath.Join(dir, name))
			w.must(err)
			template.files[name] = text
		}
	})
	dir := t.TempDir()
	for name, text := range template.files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return openWorld(t, dir)
}

func openWorld(t *testing.T, dir string) *world {
	t.Helper()
	store, err := state.Open(t.Context(), filepath.Join(dir, "boathook.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, store: store, runtime: &fakeRuntime{store: store}}
	w.service = apps.New(apps.Config{Store: store, Runtime: w.runtime, Repositories: fakeRepositories{}, Platform: "apps.example.com", Certificates: fakeCertificates{}})
	return w
}

// settle fills an empty world.
func (w *world) settle() {
	w.t.Helper()
	for _, line := range []string{
		"users-add alice", "users-add bob", "users-add lily", "create my-app --owner alice", "create new-app --owner alice",
		"collaborators-add my-app lily --limited", "env-set my-app 'GREETING=hello you' TOKEN=secret",
	} {
		w.mustRun(operator, line, "")
	}
	w.deploy()
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) deploy() {
	w.t.Helper()
	ctx := w.t.Context()
	d, err := w.store.CreateDeployment(ctx, state.Deployment{App: "my-app", Pusher: "alice", Ref: "refs/heads/master", Commit: "c0ffee00c0ffee00"})
	for _, status := range []state.Status{state.Building, state.Pushing, state.Starting} {
		if err == nil {
			err = w.store.SetStatus(ctx, d.ID, status, "")
		}
	}
	if err == nil {
		err = w.store.RecordPhase(ctx, d.ID, "build", 1500*time.Millisecond)
	}
	if err == nil {
		err = w.store.AppendLog(ctx, d.ID, []byte("-----> built\n"))
	}
	if err == nil {
		err = w.store.SaveRelease(ctx, state.Release{Deployment: d.ID, App: "my-app", Image: "img:1", Types: map[string]string{"web": "run", "worker": "work"}})
	}
	if err == nil {
		err = w.store.GoLive(ctx, d.ID, []state.ProcessType{{Name: "web", Amount: 1, Size: "M"}})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// run runs one command line as the SSH server does.
func (w *world) run(c apps.Caller, line, stdin string) (status int, stdout, stderr string) {
	w.t.Helper()
	return w.runOn(0, c, line, stdin)
}

// runOn is run on a terminal of so many columns.
func (w *world) runOn(width int, c apps.Caller, line, stdin string) (status int, stdout, stderr string) {
	w.t.Helper()
	args, err := Split(line)
	if err != nil {
		w.t.Fatal(err)
	}
	var out, errs bytes.Buffer
	status = Commands().Run(w.t.Context(), &Call{
		Args: args, Line: line, Caller: c, Service: w.service, Remote: "ssh://git@example.com:2222/", Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs, Width: width,
	})
	return status, out.String(), errs.String()
}

func (w *world) mustRun(c apps.Caller, line, stdin string) (stdout string) {
	w.t.Helper()
	status, stdout, stderr := w.run(c, line, stdin)
	if status != 0 || stderr != "" {
		w.t.Fatalf("%s: status %d, %s", line, status, stderr)
	}
	return stdout
}

// attempt is one command line and what must come of it. Words of stdout and stderr must be there; none: it must be empty.
type attempt struct {
	caller         apps.Caller
	line, stdin    string
	status         int
	stdout, stderr string
}

func (w *world) try(a attempt) {
	w.t.Helper()
	status, stdout, stderr := w.run(a.caller, a.line, a.stdin)
	if status != a.status || !has(stdout, a.stdout) || !has(stderr, a.stderr) {
		w.t.Errorf("%s\n got %d, stdout %q, stderr %q\nwant %d, stdout %q, stderr %q", a.line, status, stdout, stderr, a.status, a.stdout, a.stderr)
	}
}

func has(text, part string) bool {
	if part == "" {
		return text == ""
	}
	return strings.Contains(text, part)
}

// numberedKey is a public key as OpenSSH writes it; ed25519 takes any 32 bytes for one.
func numberedKey(n byte) string {
	key, err := ssh.NewPublicKey(ed25519.PublicKey(bytes.Repeat([]byte{n}, ed25519.PublicKeySize)))
	if err != nil {
		panic(err)
	}
	return string(ssh.MarshalAuthorizedKey(key))
}
