// Package scenes runs boathook's end-to-end scenes: scripts (testscript) with the real git, the real ssh client and boathook in a process of its own,
// on both engines. The scenes lie with their tests, in the packages below: deploying is what becomes of a push, operating is what goes on around the
// versions that are live, and people is who may do what.
package scenes

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/client"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"boathook/builder"
	"boathook/receive/state"
	"boathook/router/acmetest"
)

var update = flag.Bool("update", false, "rewrite the golden transcripts")

// Main is the TestMain of a package of scenes: it makes the scripts' programs, which are boathook itself, and what a script needs to look at the world.
func Main(m *testing.M) {
	// The scenes wait more than they compute, for the engine and for programs that start and stop. -parallel still has the last word.
	if err := flag.Set("test.parallel", strconv.Itoa(max(6, runtime.GOMAXPROCS(0)))); err != nil {
		panic(err)
	}
	testscript.Main(withBoathook{m}, map[string]func(){
		"get": getMain, "transcript": transcriptMain, "ssh-as": sshAsMain, "terminal": terminalMain,
	})
}

// withBoathook runs tests with a boathook of this module on the PATH.
type withBoathook struct{ *testing.M }

func (m withBoathook) Run() int {
	dir, err := os.MkdirTemp("", "boathook-scenes")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	args := []string{"build", "-o", filepath.Join(dir, "boathook")}
	if raceDetector {
		args = append(args, "-race")
	}
	if output, err := exec.Command("go", append(args, "boathook/cmd/boathook")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go %s: %v\n%s", strings.Join(args, " "), err, output)
		return 1
	}
	if err := os.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH")); err != nil {
		panic(err)
	}
	return m.M.Run()
}

// Engines are those that scenes are run on.
var Engines = []string{"local", "docker"}

// Run runs the scenes of a directory, on each of the engines.
func Run(t *testing.T, dir string, engines ...string) {
	t.Helper()
	for _, program := range []string{"git", "ssh", "ssh-keygen", "go"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("the scenes need %s: install it and try again: %v", program, err)
		}
	}
	lookAtSources(t)
	app := Fixture(t)
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			if engine == "docker" {
				NeedDocker(t)
				makeTiny(t)
			}
			testscript.Run(t, testscript.Params{
				Dir:           dir,
				UpdateScripts: *update,
				Setup:         func(env *testscript.Env) error { return setup(env, engine, app) },
				Cmds:          commands,
				Condition:     func(cond string) (bool, error) { return cond == engine || cond == "root" && os.Geteuid() == 0, nil },
			})
		})
	}
}

// lookAtSources has go test run the scenes again when the code of boathook has changed, which they do not import but build: go test remembers a result as
// long as the files and directories are the same that the test has looked into.
func lookAtSources(t *testing.T) {
	t.Helper()
	mod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatalf("go env GOMOD: %v", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(mod)))
	for _, file := range []string{"go.mod", "go.sum"} {
		if _, err := os.ReadFile(filepath.Join(root, file)); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"cmd/boathook", "receive", "builder", "runner", "router"} {
		if err := filepath.WalkDir(filepath.Join(root, dir), func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			t.Fatal(err)
		}
	}
}

// commands is what scripts can say beside testscript's own words and the programs.
var commands = map[string]func(*testscript.TestScript, bool, []string){
	"app": cmdApp, "same-env": cmdSameEnv, "clean": cmdClean, "touch-in": cmdTouchIn,
	"serve": cmdServe, "end-serve": cmdEndServe, "replace": cmdReplace, "succeed": cmdSucceed, "schema": cmdSchema,
	"router": cmdRouter, "end-router": cmdEndRouter, "replace-router": cmdReplaceRouter,
	"push": cmdPush, "kill-push": cmdKillPush, "stop-reading": cmdStopReading, "wait-push": cmdWaitPush, "gitdaemon": cmdGitDaemon,
	"await": cmdAwait, "said": predicate(said), "deployed": predicate(deployed), "container": predicate(hasState),
	"load": cmdLoad, "end-load": cmdEndLoad,
	"authority": cmdAuthority, "end-authority": cmdEndAuthority, "orders": cmdOrders, "certificate": cmdCertificate,
	"people": cmdPeople, "old-key": cmdOldKey, "as": cmdAs, "json": cmdJSON, "denied": cmdDenied, "name": cmdName,
	"narrow": cmdNarrow, "whole": cmdWhole,
}

// patience is how long a scene waits for what is to come true. Nothing is asserted about time.
const patience = 3 * time.Minute

// NeedDocker skips where no engine answers.
func NeedDocker(t *testing.T) {
	t.Helper()
	api, err := dockerClient()
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	if _, err := api.Ping(t.Context()); err != nil {
		t.Skipf("no Docker engine answers: %v", err)
	}
}

// dockerClient is a client of the engine that the environment names, which may not answer.
func dockerClient() (*client.Client, error) {
	return client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
}

// makeTiny makes the stack image of the scenes, so that none of them is the first, whose pusher reads of it.
func makeTiny(t *testing.T) {
	t.Helper()
	api, err := dockerClient()
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	if _, err := (&builder.Stacks{Docker: api}).EnsureTiny(t.Context(), t.Output()); err != nil {
		t.Fatal(err)
	}
}

// Fixture compiles the app of the scenes and returns its path.
func Fixture(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "boathook/cmd/boathook/scenes/app")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the fixture: %v\n%s", err, output)
	}
	return path
}

// scene is what the commands of one script share.
type scene struct {
	t      testscript.T         // for what runs when the script has ended, which must not call Fatalf
	server *process             // the newest boathook serve; nil before there was one
	router *process             // nil unless there was a boathook router
	pushes map[string]*exec.Cmd // by name, while they run in the background
	load   *Load
	store  *state.Store // what boathook has stored; see stored

	authority *acmetest.Authority
}

type sceneKey struct{}

func sceneOf(ts *testscript.TestScript) *scene { return ts.Value(sceneKey{}).(*scene) }

// setup gives a scene its own HOME with keys, and fixed dates so that commits have the same ids every time.
func setup(env *testscript.Env, engine, app string) error {
	env.Values[sceneKey{}] = &scene{t: env.T(), pushes: map[string]*exec.Cmd{}}
	home := filepath.Join(env.WorkDir, "home")
	if err := os.MkdirAll(filepath.Join(home, ".ssh"), 0o700); err != nil {
		return err
	}
	for _, name := range []string{"alice", "mallory"} {
		if err := newKey(filepath.Join(home, ".ssh", name)); err != nil {
			return err
		}
	}
	ssh := fmt.Sprintf("ssh -F /dev/null -i %s/.ssh/alice -o IdentitiesOnly=yes -o UserKnownHostsFile=%s/.ssh/known_hosts -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR", home, home)
	for name, value := range map[string]string{
		"MALLORY_SSH": strings.ReplaceAll(ssh, ".ssh/alice", ".ssh/mallory"),
		"HOME":        home, "ENGINE": engine, "FIXTURE": app, "GIT_SSH_COMMAND": ssh, "BOATHOOK_DATA": filepath.Join(env.WorkDir, "data"),
		"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C",
		"GIT_AUTHOR_NAME": "Alice", "GIT_AUTHOR_EMAIL": "alice@example.com", "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
		"GIT_COMMITTER_NAME": "Alice", "GIT_COMMITTER_EMAIL": "alice@example.com", "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
	} {
		env.Setenv(name, value)
	}
	return nil
}

// stored opens what the scene's boathook has stored, beside it.
func stored(ts *testscript.TestScript) *state.Store {
	s := sceneOf(ts)
	if s.store == nil {
		store, err := state.Open(context.Background(), filepath.Join(ts.Getenv("BOATHOOK_DATA"), "boathook.db"))
		ts.Check(err)
		s.store = store
		ts.Defer(func() {
			if err := store.Close(); err != nil {
				s.t.Fatal(err)
			}
		})
	}
	return s.store
}

// cmdApp makes a git repository with the fixture program: app DIR. Files of the script that lie in DIR are committed too.
func cmdApp(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Join(dir, "bin"), 0o755))
	program, err := os.ReadFile(ts.Getenv("FIXTURE"))
	ts.Check(err)
	ts.Check(os.WriteFile(filepath.Join(dir, "bin", "app"), program, 0o755))
	ts.Check(ts.Exec("git", "init", "-q", "-b", "master", dir))
	ts.Check(ts.Exec("git", "-C", dir, "remote", "add", "scalingo", ts.Getenv("REMOTE")))
	ts.Check(ts.Exec("git", "-C", dir, "add", "."))
	ts.Check(ts.Exec("git", "-C", dir, "commit", "-q", "-m", "first"))
}

var envSum = regexp.MustCompile(`SUM (\w+) ([0-9a-f]{64})`)

// cmdSameEnv compares two listings of environments variable by variable, those aside that follow from which container it is, and
// those named, which B has and A has not: same-env A B [NAME...].
func cmdSameEnv(ts *testscript.TestScript, neg bool, args []string) {
	own := []string{"CONTAINER", "HOSTNAME"}
	if ts.Getenv("ENGINE") == "local" { // every process has a port and a directory of its own
		own = append(own, "PORT", "HOME", "PWD", "TMPDIR")
	}
	var envs [2]map[string]string
	for i := range envs {
		envs[i] = map[string]string{}
		for _, m := range envSum.FindAllStringSubmatch(ts.ReadFile(args[i]), -1) {
			envs[i][m[1]] = m[2]
		}
		for _, name := range own {
			if _, set := envs[i][name]; !set {
				ts.Fatalf("%s has no %s", args[i], name)
			}
			envs[i][name] = ""
		}
	}
	for _, name := range args[2:] {
		if _, set := envs[1][name]; !set {
			ts.Fatalf("%s has no %s", args[1], name)
		}
		delete(envs[1], name)
	}
	if diff := cmp.Diff(envs[0], envs[1]); diff != "" {
		ts.Fatalf("the environments differ:\n%s", diff)
	}
}
