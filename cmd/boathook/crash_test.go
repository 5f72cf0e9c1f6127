package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"boathook/cmd/boathook/scenes"
	"boathook/receive/state"
	"boathook/runner"
)

var every = flag.Int("every", 40, "TestCrash dies at each so-manieth event, TestEngineFaults takes each so-manieth fault")

// patience bounds every wait of these tests; strays are looked for every minute.
const patience = 2 * time.Minute

// TestCrash kills boathook at every event of a deployment (see fuse), one after the other, and starts it again each time. Whatever
// the moment: the deployment reads aborted or success, what is served, the ref and the containers agree with that, nothing
// else is left, and the same commit can be pushed again. The flag -every says how many events to go at a step; .ci/run walks through all of them.
func TestCrash(t *testing.T) {
	t.Parallel()
	app := scenes.Fixture(t)
	for _, engine := range []string{"local", "docker"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			if engine == "docker" {
				scenes.NeedDocker(t)
			}
			newWalk(t, engine, app).walk()
		})
	}
}

// walk is one data directory, with one app, that survives every crash.
type walk struct {
	t       *testing.T
	dir     string
	args    []string // of boathook serve
	repo    string
	env     []string
	version int // the newest commit's
	app     string
	step    int    // how many events to go at once
	front   string // address of the `boathook router` that goes on when boathook dies; "" where boathook routes itself
}

// newWalk makes the directory and the app, and deploys its first version.
func newWalk(t *testing.T, engine, app string) *walk {
	t.Helper()
	dir := t.TempDir()
	w := &walk{t: t, dir: dir, repo: filepath.Join(dir, "repo"), app: "my-app", step: *every}
	w.args = []string{
		"-data", filepath.Join(dir, "data"), "-ssh-addr", "127.0.0.1:0", "-http-addr", "127.0.0.1:0", "-apps-url", "http://example.com",
		"-engine", engine, "-namespace", fmt.Sprintf("crash-%d-%s", os.Getpid(), filepath.Base(filepath.Dir(dir))), "-buildpack", "none", "-stack-image", "tiny",
		"-grace-time", "50ms", "-stop-time", "2s", "-drain-time", "2s", "-releases", "2",
	}
	key := filepath.Join(dir, "key")
	public, err := newKey(key)
	if err != nil {
		t.Fatal(err)
	}
	w.env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com",
		fmt.Sprintf("GIT_SSH_COMMAND=ssh -F /dev/null -i %s -o IdentitiesOnly=yes -o UserKnownHostsFile=%s -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR -o CheckHostIP=no", key, filepath.Join(dir, "hosts")))
	program, err := os.ReadFile(app)
	if err != nil {
		t.Fatal(err)
	}
	w.write("bin/app", string(program))
	w.write("Procfile", "web: bin/app web\nworker: bin/app worker\nrelease: echo expanding; touch expanded\npostdeploy: echo migrating; touch migrated\n")
	w.git("init", "-q", "-b", "master")
	w.nextVersion()

	w.begin(public)
	return w
}

// begin makes the app, and deploys its first version.
func (w *walk) begin(public string) {
	w.t.Helper()
	s := w.serve()
	for _, step := range [][]string{{"users-add", "alice"}, {"keys-add", "--user", "alice", "key"}, {"create", "--owner", "alice", "my-app"}, {"scale", "my-app", "web:2", "worker:1"}} {
		s.manage(public, step...)
	}
	s.push()
	w.t.Cleanup(func() {
		s := w.serve()
		s.manage("", "destroy", w.app, "--force")
		s.stop()
	})
	s.stop()
}

func (w *walk) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.repo, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		w.t.Fatal(err)
	}
}

// nextVersion commits one.
func (w *walk) nextVersion() {
	w.t.Helper()
	w.version++
	w.write("VERSION", w.answer(w.version))
	w.git("add", ".")
	w.git("commit", "-q", "-m", strconv.Itoa(w.version))
}

// answer is what a version of the app says to a request.
func (w *walk) answer(version int) string { return fmt.Sprintf("version %d\n", version) }

func (w *walk) git(args ...string) string {
	w.t.Helper()
	out, err := w.tryGit(args...)
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return out
}

func (w *walk) tryGit(args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = w.repo, w.env
	if args[0] == "init" {
		cmd.Args, cmd.Dir = append(cmd.Args, w.repo), w.dir
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// walk first lets a deployment run through to learn its events, then dies at each.
func (w *walk) walk() {
	events, _ := w.mortal(0)
	if len(events) < 20 {
		w.t.Fatalf("only %d events, so there is no fuse where there should be one: %q", len(events), events)
	}
	died := 0
	walked := 0
	for at := 1; at <= len(events); at += w.step {
		walked++
		seen, outcome := w.mortal(at)
		if len(seen) == at {
			died++
		}
		_, event, _ := strings.Cut(seen[len(seen)-1], " ")
		w.t.Attr("outcome", fmt.Sprintf("%s: killed at event %d of %d, %s", outcome, len(seen), len(events), event))
		if w.t.Failed() {
			return
		}
	}
	// The last events of a retirement may be others the next time; then the server was killed when it was idle.
	if died < walked*9/10 {
		w.t.Errorf("died at %d of %d events", died, walked)
	}
}

// mortal pushes a new version to a boathook that dies at an event, starts another, and holds it to account. It returns the
// events, and how the deployment reads: aborted, success, or unrecorded when it died before it had a record.
func (w *walk) mortal(at int) (events []string, outcome string) {
	w.t.Helper()
	before := w.serve()
	running := before.running()
	before.stop()
	w.nextVersion()

	events = w.dieDuring(at, func(ssh string) (string, error) {
		return w.tryGit("push", "ssh://git@"+ssh+"/my-app.git", "HEAD:master")
	})
	begin := time.Now()
	after := w.serve()
	defer after.stop()
	after.routed()
	if !after.answers() {
		w.t.Errorf("the app is not served after the restart")
	}
	w.t.Attr("served", time.Since(begin).Round(time.Millisecond).String())
	head := strings.TrimSpace(w.git("rev-parse", "HEAD"))
	last := after.last()
	outcome = string(last.Status)
	if last.Commit != head {
		outcome = "unrecorded"
	}
	switch outcome {
	case "success":
		after.serves(w.version)
		after.ref(head)
	case "aborted", "unrecorded":
		after.serves(w.version - 1)
		after.ref(strings.TrimSpace(w.git("rev-parse", "HEAD~1")))
	default:
		w.t.Errorf("the deployment reads %s", last.Status)
	}
	// An engine that was asked for a container by one who has died since may still be at it: what comes of that after the start is a stray, and goes.
	// Nor does what served before go at once where a router elsewhere may not know yet that it is not live any more.
	if after.engine.Name() == "docker" || w.front != "" {
		after.clean()
	}
	if left, err := after.leftovers(); err != nil || len(left) > 0 {
		w.t.Errorf("left over: %q, %v", left, err)
	}
	if outcome != "success" {
		now := after.running()
		if outcome == "aborted" {
			maps.DeleteFunc(now, func(name, _ string) bool { return strings.HasPrefix(name, strconv.FormatInt(last.ID, 10)+"/") })
		}
		if diff := cmp.Diff(running, now); diff != "" {
			w.t.Errorf("other containers serve the old version than before (-before +after):\n%s", diff)
		}
	}
	after.push()
	after.serves(w.version)
	after.clean()
	if w.t.Failed() {
		w.t.Logf("events:\n%s", strings.Join(events, "\n"))
	}
	return events, outcome
}

// dieDuring runs the server that dies while something is done with it, over SSH or the admin socket; one that outlives that and is idle is killed.
func (w *walk) dieDuring(at int, do func(ssh string) (string, error)) []string {
	w.t.Helper()
	eventLog := filepath.Join(w.dir, "events")
	_ = os.Remove(filepath.Join(w.dir, "docker.sock")) // of the one that died before
	var serverLog bytes.Buffer
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	mortal := exec.Command(self, w.args...)
	mortal.Args[0] = "boathook-mortal"
	mortal.Env = append(os.Environ(), "FUSE="+strconv.Itoa(at), "EVENTS="+eventLog)
	mortal.Stderr = &serverLog
	stdout, err := mortal.StdoutPipe()
	if err == nil {
		err = mortal.Start()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	addresses, err := bufio.NewReader(stdout).ReadString('\n')
	ssh, _, ok := strings.Cut(strings.TrimSpace(addresses), " ")
	if err != nil || !ok {
		_ = mortal.Process.Kill()
		_ = mortal.Wait()
		w.t.Fatalf("the server did not start: %v\n%s", err, &serverLog)
	}
	dead := make(chan struct{})
	go func() { _ = mortal.Wait(); close(dead) }() // ends by a signal, always
	out, failed := do(ssh)
	w.awaitDeath(mortal, dead, eventLog)
	text, err := os.ReadFile(eventLog)
	if err != nil {
		w.t.Fatal(err)
	}
	events := strings.Split(strings.TrimSpace(string(text)), "\n")
	if at == 0 && failed != nil {
		w.t.Fatalf("without a fuse: %v\n%s\n%s", failed, out, &serverLog)
	}
	return events
}

// quiet is how long a server has no event before it counts as idle. It exceeds by far what a busy machine takes from one event to the next.
const quiet = 6 * time.Second

// awaitDeath waits until the server has died, or has had nothing to do for a while, and is killed.
func (w *walk) awaitDeath(mortal *exec.Cmd, dead <-chan struct{}, eventLog string) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var size int64 = -1
	for last := time.Now(); time.Since(last) < quiet; {
		select {
		case <-dead:
			return
		case <-tick.C:
		}
		if info, err := os.Stat(eventLog); err == nil && info.Size() > size {
			size, last = info.Size(), time.Now()
		}
	}
	_ = mortal.Process.Kill() // it may have died meanwhile
	<-dead
}

// leftovers lists what no live release needs.
func (b *boat) leftovers() ([]string, error) {
	return scenes.Leftovers(context.Background(), scenes.Place{Engine: b.engine.Name(), Data: b.cfg.data, Namespace: b.cfg.namespace}, b.store)
}

// boat is a boathook without a fuse, in this process.
type boat struct {
	*server
	w     *walk
	stop  func()
	ended sync.Once
}

func (w *walk) serve() *boat {
	w.t.Helper()
	cfg, err := parseConfig(w.args, io.Discard)
	if err != nil {
		w.t.Fatal(err)
	}
	var log bytes.Buffer
	s, err := open(context.Background(), cfg, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		w.t.Fatalf("boathook does not start: %v\n%s", err, &log)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	b := &boat{server: s, w: w}
	b.stop = func() {
		b.ended.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				w.t.Errorf("serve: %v", err)
			}
			if w.t.Failed() {
				w.t.Logf("log of boathook:\n%s", &log)
			}
		})
	}
	return b
}

func (b *boat) manage(stdin string, args ...string) string {
	b.w.t.Helper()
	var out bytes.Buffer
	if code := request(context.Background(), socket(b.cfg.data), args, strings.NewReader(stdin), &out, &out); code != 0 { // a test's own context has ended when it cleans up
		b.w.t.Fatalf("boathook %v: exit %d: %s", args, code, &out)
	}
	return out.String()
}

func (b *boat) remote() string {
	return "ssh://git@" + b.sshListener.Addr().String() + "/" + b.w.app + ".git"
}

// push pushes HEAD, which must succeed.
func (b *boat) push() {
	b.w.t.Helper()
	if out, err := b.w.tryGit("push", b.remote(), "HEAD:master"); err != nil {
		b.w.t.Errorf("push: %v\n%s", err, out)
	}
}

// last is the newest deployment.
func (b *boat) last() state.Deployment {
	b.w.t.Helper()
	all, err := b.store.Deployments(context.Background(), b.w.app, 1)
	if err != nil || len(all) != 1 {
		b.w.t.Fatalf("newest deployment: %v, %v", all, err)
	}
	return all[0]
}

// serves asks the router which version answers. There is no second try: what is served must be right from the start.
func (b *boat) serves(version int) {
	b.w.t.Helper()
	for range 4 { // every web container has its turn
		if code, body, err := b.ask(); err != nil || body != b.w.answer(version) {
			b.w.t.Errorf("served is %d %q, %v; want version %d", code, body, err, version)
			return
		}
	}
}

// routed waits for the router elsewhere, if there is one, to follow.
func (b *boat) routed() {
	b.w.t.Helper()
	if b.w.front == "" {
		return
	}
	for end := time.Now().Add(patience); b.feed.Followers() == 0 || b.feed.Followed(context.Background()) != nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			b.w.t.Fatal("no router follows")
		}
	}
}

// answers tells whether all web containers do.
func (b *boat) answers() bool {
	for range 4 {
		if code, _, err := b.ask(); err != nil || code != http.StatusOK {
			return false
		}
	}
	return true
}

// ask makes a request to the app.
func (b *boat) ask() (code int, body string, err error) { return b.askHost(b.w.app + ".example.com") }

func (b *boat) askHost(host string) (code int, body string, err error) {
	front := b.w.front
	if front == "" {
		front = b.httpListener.Addr().String()
	}
	req, err := http.NewRequest(http.MethodGet, "http://"+front, nil)
	if err != nil {
		return 0, "", err
	}
	req.Host = host
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// ref checks which commit the branch is at.
func (b *boat) ref(want string) {
	b.w.t.Helper()
	got, _, _ := strings.Cut(b.w.git("ls-remote", b.remote(), "master"), "\t")
	if got != want {
		b.w.t.Errorf("master is at %s, want %s", got, want)
	}
}

// running lists the containers by name and id.
func (b *boat) running() map[string]string {
	b.w.t.Helper()
	instances, err := b.engine.List(context.Background(), runner.Selector{App: b.w.app})
	if err != nil {
		b.w.t.Fatal(err)
	}
	names := map[string]string{}
	for _, i := range instances {
		names[i.Release+"/"+i.Name()] = i.ID + " " + string(i.Phase)
	}
	return names
}

// clean waits until nothing is left of former deployments.
func (b *boat) clean() {
	b.w.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		left, err := b.leftovers()
		if err == nil && len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			b.w.t.Fatalf("left over: %q, %v", left, err)
		}
	}
}
