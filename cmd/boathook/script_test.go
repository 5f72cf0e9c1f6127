package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"boathook/runner"
)

var update = flag.Bool("update", false, "rewrite the golden transcripts")

// TestMain makes the scripts' programs: boathook itself, and what a script needs to look at the world.
func TestMain(m *testing.M) {
	// The scenes wait more than they compute, for the engine and for programs that start and stop. -parallel still has the last word.
	if err := flag.Set("test.parallel", strconv.Itoa(max(4, runtime.GOMAXPROCS(0)))); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){
		"boathook":        main,
		"get":             getMain,
		"transcript":      transcriptMain,
		"ssh-as":          sshAsMain,
		"boathook-mortal": mortalMain,
	})
}

// TestScripts runs every scene with the real git and ssh on both engines.
func TestScripts(t *testing.T) {
	if err := programs("git", "ssh", "go"); err != nil {
		t.Fatal(err)
	}
	app := buildFixture(t)
	for _, engine := range []string{"local", "docker"} {
		t.Run(engine, func(t *testing.T) {
			if engine == "docker" {
				needDocker(t)
			}
			testscript.Run(t, testscript.Params{
				Dir:           "testdata/script",
				UpdateScripts: *update,
				Setup:         func(env *testscript.Env) error { return setup(env, engine, app) },
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"serve": cmdServe, "app": cmdApp, "clean": cmdClean, "same-env": cmdSameEnv, "await": cmdAwait,
					"push": cmdPush, "kill-push": cmdKillPush, "stop-reading": cmdStopReading, "wait-push": cmdWaitPush, "gitdaemon": cmdGitDaemon, "daemon": cmdDaemon, "end-daemon": cmdEndDaemon, "old-key": cmdOldKey,
					"replace": cmdReplace, "succeed": cmdSucceed, "load": cmdLoad, "end-load": cmdEndLoad,
					"said": predicate(said), "deployed": predicate(deployed), "container": predicate(hasState),
				},
				Condition: func(cond string) (bool, error) { return cond == engine || cond == "root" && os.Geteuid() == 0, nil },
			})
		})
	}
}

// needDocker skips where no engine answers.
func needDocker(t *testing.T) {
	t.Helper()
	api, err := dockerClient(t.Context(), "docker")
	if err != nil {
		t.Skip(err)
	}
	if err := api.Close(); err != nil {
		t.Fatal(err)
	}
}

// buildFixture compiles the fixture app once.
func buildFixture(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "./testdata/app")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the fixture: %v\n%s", err, output)
	}
	return path
}

// scene is what the commands of one script share.
type scene struct {
	server *server
	daemon *exec.Cmd            // nil unless boathook runs in a process of its own
	pushes map[string]*exec.Cmd // by name, while they run in the background
	load   *load
}

type sceneKey struct{}

func sceneOf(ts *testscript.TestScript) *scene { return ts.Value(sceneKey{}).(*scene) }

// setup gives a scene its own HOME with a key, and fixed dates so that commits have the same ids every time.
func setup(env *testscript.Env, engine, app string) error {
	env.Values[sceneKey{}] = &scene{pushes: map[string]*exec.Cmd{}}
	home := filepath.Join(env.WorkDir, "home")
	if err := os.MkdirAll(filepath.Join(home, ".ssh"), 0o700); err != nil {
		return err
	}
	for _, name := range []string{"alice", "mallory"} {
		key := filepath.Join(home, ".ssh", name)
		public, err := newKey(key)
		if err != nil {
			return err
		}
		if err := os.WriteFile(key+".pub", []byte(public), 0o644); err != nil {
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

// serveArgs is the flags of the scene's server.
func serveArgs(ts *testscript.TestScript, more []string) []string {
	namespace := fmt.Sprintf("script-%d-%s", os.Getpid(), filepath.Base(ts.Getenv("WORK")))
	return append([]string{
		"-data", ts.Getenv("BOATHOOK_DATA"), "-ssh-addr", "127.0.0.1:0", "-http-addr", "127.0.0.1:0", "-apps-url", "http://example.com",
		"-engine", ts.Getenv("ENGINE"), "-namespace", namespace, "-buildpack", "none", "-stack-image", "tiny",
		"-grace-time", "200ms", "-stop-time", "2s",
	}, more...)
}

// cmdServe starts boathook with the scene's engine: serve [flags]. It makes the user alice and the app my-app unless they are there,
// and sets SSH_PORT, HTTP and REMOTE.
func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	cfg, err := parseConfig(serveArgs(ts, args), io.Discard)
	ts.Check(err)
	logFile, err := os.Create(filepath.Join(ts.Getenv("WORK"), "server.log"))
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	s, err := open(ctx, cfg, slog.New(slog.NewTextHandler(logFile, nil)))
	ts.Check(err)
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	sceneOf(ts).server = s
	ts.Defer(func() {
		destroyApp(cfg.data)
		cancel()
		if err := <-ended; err != nil {
			ts.Logf("server: %v", err)
		}
		logFile.Close()
		text, _ := os.ReadFile(logFile.Name())
		ts.Logf("server log:\n%s", text)
	})
	settle(ts, s.sshListener.Addr().String(), s.httpListener.Addr().String())
}

// destroyApp removes what a scene has started.
func destroyApp(data string) {
	request(context.Background(), socket(data), []string{"destroy", "my-app", "--force"}, strings.NewReader(""), io.Discard, io.Discard)
}

// settle tells the scene where the server is, and makes the people and the app of a new one.
func settle(ts *testscript.TestScript, ssh, http string) {
	_, port, err := net.SplitHostPort(ssh)
	ts.Check(err)
	ts.Setenv("SSH_PORT", port)
	ts.Setenv("HTTP", http)
	ts.Setenv("REMOTE", "ssh://git@"+ssh+"/my-app.git")
	data := ts.Getenv("BOATHOOK_DATA")
	if manageOK(ts, data, "", "users", "--json") != "[]\n" {
		return
	}
	for _, name := range []string{"alice", "mallory"} {
		public, err := os.ReadFile(filepath.Join(ts.Getenv("HOME"), ".ssh", name+".pub"))
		ts.Check(err)
		manageOK(ts, data, "", "users-add", name)
		manageOK(ts, data, string(public), "keys-add", "--user", name, "laptop")
	}
	manageOK(ts, data, "", "create", "--owner", "alice", "my-app")
}

func manageOK(ts *testscript.TestScript, data, stdin string, args ...string) string {
	var out strings.Builder
	if code := request(context.Background(), socket(data), args, strings.NewReader(stdin), &out, &out); code != 0 {
		ts.Fatalf("boathook %v: exit %d: %s", args, code, out.String())
	}
	return out.String()
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

// cmdClean waits until nothing is left of any deployment but the live release: clean [LIVE-CONTAINERS].
func cmdClean(ts *testscript.TestScript, neg bool, args []string) {
	s := sceneOf(ts).server
	deadline := time.Now().Add(time.Minute)
	for {
		left, err := leftovers(s)
		ts.Check(err)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("left over: %s", strings.Join(left, ", "))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// leftovers lists what no live release needs: containers, images, quarantines, build volumes, directories of one-offs.
func leftovers(s *server) (left []string, err error) {
	ctx := context.Background()
	live := map[string]bool{}
	releases := map[string]bool{}
	all, err := s.store.Apps(ctx)
	if err != nil {
		return nil, err
	}
	for _, app := range all {
		live[fmt.Sprint(app.Name, "/", app.Live)] = app.Live != 0
		kept, err := s.store.Releases(ctx, app.Name)
		if err != nil {
			return nil, err
		}
		for _, r := range kept {
			releases[r.Image] = true
		}
	}
	instances, err := s.engine.List(ctx, runner.Selector{})
	if err != nil {
		return nil, err
	}
	for _, i := range instances {
		if !live[i.App+"/"+i.Release] || i.Phase != runner.Running {
			left = append(left, "container "+i.App+"/"+i.Release+"/"+i.Name())
		}
	}
	for _, pattern := range []string{"repositories/*.git/objects/tmp_objdir*", "repositories/*.git/objects/pack/tmp_*", "builder/builds/*", "builder/scratch/*"} {
		found, err := filepath.Glob(filepath.Join(s.cfg.data, pattern))
		if err != nil {
			return nil, err
		}
		left = append(left, found...)
	}
	processes, err := buildProcesses(filepath.Join(s.cfg.data, "builder"))
	if err != nil {
		return nil, err
	}
	left = append(left, processes...)
	if s.engine.Name() == "local" {
		images, err := filepath.Glob(filepath.Join(s.cfg.data, "builder/images/*"))
		for _, image := range images {
			if !releases[image] {
				left = append(left, image)
			}
		}
		return left, err
	}
	return dockerLeftovers(ctx, s, releases, left)
}

// buildProcesses lists the processes whose working directory is below dir.
func buildProcesses(dir string) (found []string, err error) {
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		return nil, err
	}
	for _, link := range links {
		if cwd, err := os.Readlink(link); err == nil && strings.HasPrefix(cwd, dir) { // a process that has just ended is no concern
			found = append(found, "process "+link+" in "+cwd)
		}
	}
	return found, nil
}

func dockerLeftovers(ctx context.Context, s *server, releases map[string]bool, left []string) ([]string, error) {
	api, err := dockerClient(ctx, "docker")
	if err != nil {
		return nil, err
	}
	defer api.Close()
	ours := filters.NewArgs(filters.Arg("label", "boathook.namespace="+s.cfg.namespace))
	images, err := api.ImageList(ctx, image.ListOptions{All: true, Filters: ours})
	if err != nil {
		return nil, err
	}
	for _, i := range images {
		if !releases[i.ID] {
			left = append(left, "image "+i.ID)
		}
	}
	volumes, err := api.VolumeList(ctx, volume.ListOptions{Filters: ours})
	if err != nil {
		return nil, err
	}
	for _, v := range volumes.Volumes {
		if !strings.Contains(v.Name, "cache") {
			left = append(left, "volume "+v.Name)
		}
	}
	containers, err := api.ContainerList(ctx, container.ListOptions{All: true, Filters: ours})
	if err != nil {
		return nil, err
	}
	for _, c := range containers {
		if c.Labels["boathook.type"] == "" {
			left = append(left, "build container "+c.ID)
		}
	}
	return left, nil
}

// sshAsMain runs the real ssh client with a user's key: ssh-as USER COMMAND, the command as one line or in words as a shell passes it on.
func sshAsMain() {
	words := strings.Fields(os.Getenv("GIT_SSH_COMMAND"))
	for i := range words {
		words[i] = strings.ReplaceAll(words[i], ".ssh/alice", ".ssh/"+os.Args[1])
	}
	line, err := quote(os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ssh := exec.Command(words[0], append(words[1:], "-T", "-p", os.Getenv("SSH_PORT"), "git@127.0.0.1", line)...)
	ssh.Stdin, ssh.Stdout, ssh.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := ssh.Run(); err != nil {
		os.Exit(max(1, ssh.ProcessState.ExitCode()))
	}
}

// getMain is the scripts' HTTP client: get HOST PATH [WANT]. It prints status and body, and fails unless WANT is contained.
func getMain() {
	req, err := http.NewRequest(http.MethodGet, "http://"+os.Getenv("HTTP")+os.Args[2], nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	req.Host = os.Args[1]
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	answer := fmt.Sprintf("%d\n%s", resp.StatusCode, body)
	fmt.Print(answer)
	if len(os.Args) > 3 && !strings.Contains(answer, os.Args[3]) {
		os.Exit(1)
	}
}

var (
	shortID  = regexp.MustCompile(`\b[0-9a-f]{7,40}\b`)
	portOf   = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	trailing = regexp.MustCompile(`(?m)[ \t]+$`)
)

// transcriptMain filters what git printed to the lines that are the same every time; with remote lines first.
func transcriptMain() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	out := portOf.ReplaceAllString(string(text), "127.0.0.1:PORT")
	out = shortID.ReplaceAllString(out, "ID")
	out = trailing.ReplaceAllString(out, "")
	for line := range strings.Lines(out) {
		line = strings.ReplaceAll(line, "\x1b[K", "")
		fmt.Print(line)
	}
}
