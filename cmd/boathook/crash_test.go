package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
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

	"boathook/receive/state"
	"boathook/runner"
)

var every = flag.Int("every", 20, "TestCrash dies at each so-manieth event, TestEngineFaults takes each so-manieth fault")

// patience bounds every wait of these tests; strays are looked for every minute.
const patience = 2 * time.Minute

// TestCrash kills boathook at every event of a deployment (see fuse), one after the other, and starts it again each time. Whatever
// the moment: the deployment reads aborted or success, what is served, the ref and the containers agree with that, nothing
// else is left, and the same commit can be pushed again. The flag -every says how many events to go at a step; .ci/run walks through all of them.
func TestCrash(t *testing.T) {
	app := buildFixture(t)
	for _, engine := range []string{"local", "docker"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			if engine == "docker" {
				needDocker(t)
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
}

// newWalk makes the directory and the app, and deploys its first version.
func newWalk(t *testing.T, engine, app string) *walk {
	t.Helper()
	dir := t.TempDir()
	w := &walk{t: t, dir: dir, repo: filepath.Join(dir, "repo")}
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

	s := w.serve()
	for _, step := range [][]string{{"users-add", "alice"}, {"keys-add", "--user", "alice", "key"}, {"create", "--owner", "alice", "my-app"}, {"scale", "my-app", "web:2", "worker:1"}} {
		s.manage(public, step...)
	}
	s.push()
	t.Cleanup(func() {
		s := w.serve()
		s.manage("", "destroy", "my-app", "--force")
		s.stop()
	})
	s.stop()
	return w
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
	for at := 1; at <= len(events); at += *every {
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

	events = w.pushAndDie(at)
	begin := time.Now()
	after := w.serve()
	defer after.stop()
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
		if diff := cmp.Diff(running, after.running()); diff != "" {
			w.t.Errorf("other containers serve the old version than before (-before +after):\n%s", diff)
		}
	default:
		w.t.Errorf("the deployment reads %s", last.Status)
	}
	if left, err := leftovers(after.server); err != nil || len(left) > 0 {
		w.t.Errorf("left over: %q, %v", left, err)
	}
	after.push()
	after.serves(w.version)
	after.clean()
	if w.t.Failed() {
		w.t.Logf("events:\n%s", strings.Join(events, "\n"))
	}
	return events, outcome
}

// pushAndDie runs the server that dies; one that outlives its deployment and is idle is killed.
func (w *walk) pushAndDie(at int) []string {
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
	out, pushed := w.tryGit("push", "ssh://git@"+ssh+"/my-app.git", "HEAD:master")
	w.awaitDeath(mortal, dead, eventLog)
	text, err := os.ReadFile(eventLog)
	if err != nil {
		w.t.Fatal(err)
	}
	events := strings.Split(strings.TrimSpace(string(text)), "\n")
	if at == 0 && pushed != nil {
		w.t.Fatalf("the push without a fuse: %v\n%s\n%s", pushed, out, &serverLog)
	}
	return events
}

// awaitDeath waits until the server has died, or has had nothing to do for a while, and is killed.
func (w *walk) awaitDeath(mortal *exec.Cmd, dead <-chan struct{}, eventLog string) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var size int64 = -1
	for {
		select {
		case <-dead:
			return
		case <-tick.C:
		}
		if info, err := os.Stat(eventLog); err == nil && info.Size() > size {
			size = info.Size()
			continue
		}
		_ = mortal.Process.Kill() // it may have died meanwhile
		<-dead
		return
	}
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

func (b *boat) remote() string { return "ssh://git@" + b.sshListener.Addr().String() + "/my-app.git" }

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
	all, err := b.store.Deployments(context.Background(), "my-app", 1)
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
func (b *boat) ask() (code int, body string, err error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+b.httpListener.Addr().String(), nil)
	if err != nil {
		return 0, "", err
	}
	req.Host = "my-app.example.com"
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
	instances, err := b.engine.List(context.Background(), runner.Selector{App: "my-app"})
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
		left, err := leftovers(b.server)
		if err == nil && len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			b.w.t.Fatalf("left over: %q, %v", left, err)
		}
	}
}
