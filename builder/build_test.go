package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// site is a builder of one kind and what a test needs to look into its images.
type site struct {
	*Build
	kind string
	cfg  Config
	// run starts the image's type as a runner would, with env, and returns its output.
	run func(t *testing.T, img Image, command string, env map[string]string) string
	// left lists what builds have left behind, caches and images aside.
	left func(t *testing.T) []string
}

// onEverySite runs a test on the host and, where an engine answers, in containers.
func onEverySite(t *testing.T, change func(*Config), test func(t *testing.T, s *site)) {
	t.Run("local", func(t *testing.T) { test(t, localSite(t, change)) })
	t.Run("docker", func(t *testing.T) { test(t, dockerSite(t, change)) })
}

func localSite(t *testing.T, change func(*Config)) *site {
	cfg := Config{Dir: t.TempDir()}
	if change != nil {
		change(&cfg)
	}
	s := &site{Build: newBuild(t, cfg), kind: "local", cfg: cfg}
	s.run = func(t *testing.T, img Image, command string, env map[string]string) string {
		t.Helper()
		argv := append(slices.Clone(img.Launcher), command)
		argv[0] = strings.Replace(argv[0], "{image}", img.Ref, 1)
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir, cmd.Env = img.Ref, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + img.Ref}
		for name, value := range env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", argv, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	s.left = func(t *testing.T) []string { return names(t, filepath.Join(cfg.Dir, "builds")) }
	return s
}

func newBuild(t *testing.T, cfg Config) *Build {
	t.Helper()
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// build builds the head of r and returns the image, what the pusher saw, and the error.
func (s *site) build(t *testing.T, r repo, env map[string]string) (Image, string, error) {
	t.Helper()
	var out bytes.Buffer
	img, err := s.Build.Build(t.Context(), Request{App: "my-app", Deployment: "42", Commit: r.head(), GitDir: r.gitDir(), Env: env, Out: &out})
	if err == nil {
		t.Cleanup(func() {
			if err := s.Remove(context.Background(), img.Ref); err != nil {
				t.Error(err)
			}
		})
	}
	return img, out.String(), err
}

func (s *site) mustBuild(t *testing.T, r repo, env map[string]string) (Image, string) {
	t.Helper()
	img, out, err := s.build(t, r, env)
	if err != nil {
		t.Fatalf("%v (%v)\n%s", err, errors.Unwrap(err), out)
	}
	if left := s.left(t); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	return img, out
}

// mustFail builds and expects a *Failure of that summary and that nothing is left.
func (s *site) mustFail(t *testing.T, r repo, env map[string]string, want string) string {
	t.Helper()
	_, out, err := s.build(t, r, env)
	var failure *Failure
	if !errors.As(err, &failure) || failure.Summary != want {
		t.Fatalf("got %v, want %s\n%s", err, want, out)
	}
	if left := s.left(t); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	return out
}

func contains(t *testing.T, out string, want ...string) {
	t.Helper()
	rest := out
	for _, w := range want {
		_, after, found := strings.Cut(rest, w)
		if !found {
			t.Fatalf("no %q, or not in this order, in\n%s", w, out)
		}
		rest = after
	}
}

// newPack makes a buildpack's repository; the scripts get a first line.
func newPack(t *testing.T, scripts map[string]string) repo {
	files := map[string]string{}
	for name, text := range scripts {
		files[name] = "#!/bin/bash\n" + text + "\n" // not executable: that is the builder's work
	}
	if files["bin/detect"] == "" {
		files["bin/detect"] = "#!/bin/bash\necho Test\n"
	}
	return newRepo(t, files)
}

func local(cfg *Config) { cfg.LocalURLs = true }

func TestProcfileApp(t *testing.T) {
	onEverySite(t, nil, func(t *testing.T, s *site) {
		r := newRepo(t, map[string]string{
			"Procfile":             "web: ./run\nworker: true\npostdeploy: ./run && echo done\n",
			"run*":                 "#!/bin/bash\necho \"$FROM_D $FROM_PROFILE $GREETING $(cat data)\"\n",
			"data":                 "file",
			".profile.d/a.sh":      "export FROM_D=d\n",
			".profile":             "export FROM_PROFILE=$FROM_D-profile\n",
			".boathook/launch":     "mine",
			"app/keep/me/as/it/is": "x",
		})
		img, out := s.mustBuild(t, r, map[string]string{"GREETING": "secret-value"})
		contains(t, out, "Fetching source code\n", "-----> Procfile app detected\n",
			"-----> Procfile declares types -> web, worker, postdeploy\n", "-----> Build complete, uploading deployment cache.\n")
		want := map[string]string{"web": "./run", "worker": "true", "postdeploy": "./run && echo done"}
		if diff := cmp.Diff(want, img.Types); diff != "" {
			t.Error(diff)
		}
		if img.Size <= 0 || img.Stack != "scalingo-24" {
			t.Errorf("%+v", img)
		}
		if got := s.run(t, img, img.Types["postdeploy"], map[string]string{"GREETING": "hello 'you'"}); got != "d d-profile hello 'you' file\ndone" {
			t.Errorf("got %q", got)
		}
		home := s.run(t, img, `[ "$PWD" = "$HOME" ] && echo "$HOME"`, nil)
		if s.kind == "docker" && home != "/app" || home == "" {
			t.Errorf("home %q", home)
		}
	})
}

func TestPhasesOfABuildpack(t *testing.T) {
	onEverySite(t, local, func(t *testing.T, s *site) {
		bp := newPack(t, map[string]string{
			"bin/compile": `echo "in $(basename $1) with [$COLOR] [$(cat $3/COLOR)] $SOURCE_VERSION $APP $STACK $REQUEST_ID"
[ "$HOME" = "$1" ] && [ "$PWD" != "$1" ] && [ -f bin/compile ] && touch scratch || exit 9
case "$PATH" in evil*) exit 8;; esac
[ -z "$GIT_DIR" ] && [ "$(cat $3/GIT_DIR)" = x ] || exit 7
echo -n x >> $2/count; echo "cache $(cat $2/count)"; echo built > $1/product; echo to stderr >&2`,
			"bin/release": `printf -- '---\nconfig_vars:\n  FROM_RELEASE: "it'"'"'s"\n  COLOR: none\n  N: 3\ndefault_process_types:\n  web: cat product\n'`,
		})
		r := newRepo(t, map[string]string{"readme": "x"})
		env := map[string]string{"BUILDPACK_URL": bp.url(), "COLOR": "blue\n$x 'q'", "PATH": "evil:/bin", "GIT_DIR": "x"}
		img, out := s.mustBuild(t, r, env)
		contains(t, out, "-----> Cloning custom buildpack: "+bp.url(), "-----> Test app detected",
			"with [blue\n$x 'q'] [blue\n$x 'q'] "+r.head()+" my-app scalingo-24 42", "cache x\n",
			"-----> Buildpack declares default types -> web")
		contains(t, out, "to stderr")
		if got := s.run(t, img, img.Types["web"]+`; echo "$FROM_RELEASE $COLOR $N"`, map[string]string{"COLOR": "red"}); got != "built\nit's red 3" {
			t.Errorf("got %q", got)
		}
		if _, out = s.mustBuild(t, r, env); !strings.Contains(out, "Fetching deployment cache\n") || !strings.Contains(out, "cache xx\n") {
			t.Errorf("no cache in\n%s", out)
		}
		if err := s.DeleteCache(t.Context(), "my-app"); err != nil {
			t.Fatal(err)
		}
		if _, out = s.mustBuild(t, r, env); !strings.Contains(out, "cache x\n") {
			t.Errorf("the cache was not deleted\n%s", out)
		}
		var again bytes.Buffer
		req := Request{App: "my-app", Deployment: "43", Commit: r.head(), GitDir: r.gitDir(), Env: env, NoCache: true, Out: &again}
		img, err := s.Build.Build(t.Context(), req)
		if err != nil || !strings.Contains(again.String(), "cache x\n") {
			t.Errorf("%v\n%s", err, again.String())
		}
		if _, out = s.mustBuild(t, r, env); !strings.Contains(out, "cache xx\n") {
			t.Errorf("the cache was not replaced\n%s", out)
		}
		if err := s.Remove(t.Context(), img.Ref); err != nil {
			t.Error(err)
		}
		if err := s.Remove(t.Context(), img.Ref); err != nil {
			t.Errorf("second removal: %v", err)
		}
	})
}

func TestSeveralBuildpacksShareExports(t *testing.T) {
	onEverySite(t, local, func(t *testing.T, s *site) {
		first := newPack(t, map[string]string{
			"bin/compile": `mkdir -p $1/.tool; echo 'echo tool of one' > $1/.tool/thing; chmod +x $1/.tool/thing; echo "export PATH=$1/.tool:\$PATH" > export; echo "web: one" > $1/Procfile.one`,
			"bin/release": "echo 'default_process_types: {web: wrong}'",
		})
		second := newPack(t, map[string]string{"bin/compile": "thing; echo second", "bin/release": "echo 'default_process_types: {web: right}'"})
		second.git("tag", "v1")
		second.commit(map[string]string{"bin/compile": "exit 3"})
		r := newRepo(t, map[string]string{".buildpacks": "\r\n# both\r\n" + first.url() + "\r\n\r\n" + second.url() + "#v1\r\n"})
		img, out := s.mustBuild(t, r, map[string]string{"BUILDPACK_URL": "https://github.com/Scalingo/multi-buildpack.git"})
		contains(t, out, "Cloning custom buildpack: "+first.url(), "Cloning custom buildpack: "+second.url()+"#v1", "tool of one\nsecond\n")
		if diff := cmp.Diff(map[string]string{"web": "right"}, img.Types); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDetectionTakesTheFirstByName(t *testing.T) {
	never := newPack(t, map[string]string{"bin/detect": "echo no; exit 1", "bin/compile": "exit 1"})
	ruby := newPack(t, map[string]string{"bin/detect": "[ -f $1/Gemfile ] && echo Ruby", "bin/compile": "echo ruby $1"})
	zig := newPack(t, map[string]string{"bin/detect": "exit 0", "bin/compile": "echo zig"})
	list := func(cfg *Config) {
		cfg.Buildpacks = []Buildpack{{"zig", "https://mirrored.example.com/zig"}, {"ruby", ruby.url()}, {"a-never", never.url()}}
		cfg.Rewrite = map[string]string{"https://mirrored.example.com/": "https://wrong.invalid/", "https://mirrored.example.com/zig": zig.url()}
	}
	onEverySite(t, list, func(t *testing.T, s *site) {
		_, out := s.mustBuild(t, newRepo(t, map[string]string{"Gemfile": "", "Procfile": "web: x"}), nil)
		contains(t, out, "-----> Ruby app detected", "ruby ")
		_, out = s.mustBuild(t, newRepo(t, map[string]string{"Procfile": "web: x"}), nil)
		contains(t, out, "zig\n")
		_, out = s.mustBuild(t, newRepo(t, map[string]string{"Procfile": "web: x"}), map[string]string{"BUILDPACK_NAME": "procfile"})
		contains(t, out, "-----> Procfile app detected")
		s.mustFail(t, newRepo(t, map[string]string{"Procfile": "web: x"}), map[string]string{"BUILDPACK_NAME": "perl"},
			`There is no buildpack named "perl": choose one of a-never, ruby, zig, procfile, or set BUILDPACK_URL`)
	})
}

func TestNothingFits(t *testing.T) {
	onEverySite(t, nil, func(t *testing.T, s *site) {
		out := s.mustFail(t, newRepo(t, map[string]string{"index.xyz": ""}), nil, badReturn)
		contains(t, out, " !     We didn't find the type of technology you are using...\n", "BUILDPACK_URL", "Dockerfile", "Procfile", "PROJECT_DIR")
	})
}

func TestFailingPhases(t *testing.T) {
	app := map[string]string{"Procfile": "web: x"}
	cases := map[string]struct {
		pack map[string]string
		want string
		out  string
	}{
		"detect":  {map[string]string{"bin/detect": "echo not mine; exit 1"}, badReturn, "       not mine\n"},
		"compile": {map[string]string{"bin/compile": "echo oh no; exit 5"}, badReturn, "oh no\n"},
		"killed":  {map[string]string{"bin/compile": "kill -9 $$"}, badReturn, ""},
		"missing": {map[string]string{"readme": ""}, badReturn, "bin/compile"},
		"release": {map[string]string{"bin/compile": "", "bin/release": "exit 1"}, badReturn, ""},
		"yaml":    {map[string]string{"bin/compile": "", "bin/release": "echo '{'"}, badReturn, "no valid YAML"},
		"procfile": {map[string]string{"bin/compile": "echo broken > $1/Procfile"},
			`Procfile, line 1: "broken" is not of the form "type: command", where type has up to 24 letters, digits, - and _`, ""},
	}
	onEverySite(t, local, func(t *testing.T, s *site) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				out := s.mustFail(t, newRepo(t, app), map[string]string{"BUILDPACK_URL": newPack(t, c.pack).url()}, c.want)
				contains(t, out, c.out)
			})
		}
	})
}

func TestSlugIgnore(t *testing.T) {
	onEverySite(t, nil, func(t *testing.T, s *site) {
		img, _ := s.mustBuild(t, newRepo(t, map[string]string{
			"Procfile":    "web: x",
			".slugignore": "# comment\n\n/docs/\r\n*.psd\nassets/*.raw\n[\n-rf\n",
			"docs/a/b":    "", "a.psd": "", "assets/x.raw": "", "assets/deep/y.raw": "", "assets/b.psd": "", "-rf": "", "main": "",
		}), nil)
		got := s.run(t, img, `find . -type f ! -path './.boathook/*' | sort | tr '\n' ' '`, nil)
		if want := "./.slugignore ./Procfile ./assets/b.psd ./assets/deep/y.raw ./main"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestImageTooLarge(t *testing.T) {
	onEverySite(t, func(cfg *Config) { cfg.Limits.ImageSize = 1 << 20 }, func(t *testing.T, s *site) {
		r := newRepo(t, map[string]string{"Procfile": "web: x", "big": strings.Repeat("x", 2<<20)})
		_, _, err := s.build(t, r, nil)
		var failure *Failure
		if !errors.As(err, &failure) || !strings.HasPrefix(failure.Summary, "The image has ") {
			t.Errorf("got %v", err)
		}
		if left := s.left(t); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// signalled is a writer that tells once when a text has been seen.
type signalled struct {
	mu   sync.Mutex // guards seen
	seen string
	want string
	tell func()
}

func (w *signalled) Write(p []byte) (int, error) {
	w.mu.Lock()
	before := strings.Contains(w.seen, w.want)
	w.seen += string(p)
	now := strings.Contains(w.seen, w.want)
	w.mu.Unlock()
	if now && !before {
		w.tell()
	}
	return len(p), nil
}

func TestCancelLeavesNothing(t *testing.T) {
	onEverySite(t, local, func(t *testing.T, s *site) {
		bp := newPack(t, map[string]string{"bin/compile": "echo compiling; sleep 1000 & sleep 1000"})
		r := newRepo(t, map[string]string{"Procfile": "web: x"})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		out := &signalled{want: "compiling", tell: cancel}
		_, err := s.Build.Build(ctx, Request{App: "my-app", Deployment: "42", Commit: r.head(), GitDir: r.gitDir(),
			Env: map[string]string{"BUILDPACK_URL": bp.url()}, Out: out})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v\n%s", err, out.seen)
		}
		if left := s.left(t); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

func TestTimeLimit(t *testing.T) {
	short := func(cfg *Config) { cfg.LocalURLs, cfg.Limits.Time = true, 3*time.Second }
	onEverySite(t, short, func(t *testing.T, s *site) {
		bp := newPack(t, map[string]string{"bin/compile": "sleep 1000"})
		s.mustFail(t, newRepo(t, map[string]string{"Procfile": "web: x"}), map[string]string{"BUILDPACK_URL": bp.url()}, "The build took longer than 3s")
	})
}

func TestBackgroundProcessDoesNotHoldTheBuild(t *testing.T) {
	onEverySite(t, local, func(t *testing.T, s *site) {
		bp := newPack(t, map[string]string{"bin/compile": "sleep 1000 & echo compiled"})
		_, out := s.mustBuild(t, newRepo(t, map[string]string{"Procfile": "web: x"}), map[string]string{"BUILDPACK_URL": bp.url()})
		contains(t, out, "compiled\n")
	})
}

func TestDockerfileNeedsAnEngine(t *testing.T) {
	s := localSite(t, nil)
	_, _, err := s.build(t, newRepo(t, map[string]string{"Dockerfile": "FROM scratch"}), nil)
	var failure *Failure
	if !errors.As(err, &failure) || !strings.Contains(failure.Summary, "needs a Docker engine") {
		t.Errorf("got %v", err)
	}
}

func TestBuildpackFromAGitServer(t *testing.T) {
	bp := newPack(t, map[string]string{"bin/compile": "echo from the daemon"})
	address := gitDaemon(t, filepath.Dir(bp.dir))
	s := localSite(t, nil)
	url := fmt.Sprintf("git://%s/%s", address, filepath.Base(bp.dir))
	commit := bp.head()
	for _, ref := range []string{"", "#main", "#" + commit, "#" + commit[:10]} {
		_, out := s.mustBuild(t, newRepo(t, map[string]string{"Procfile": "web: x"}), map[string]string{"BUILDPACK_URL": url + ref})
		contains(t, out, "from the daemon\n")
	}
	s.mustFail(t, newRepo(t, map[string]string{"Procfile": "web: x"}), map[string]string{"BUILDPACK_URL": url + "#none"},
		"The buildpack "+url+"#none cannot be fetched: check the address and the #reference")
}

// gitDaemon serves the repositories below base on loopback until the test ends.
func gitDaemon(t *testing.T, base string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	t.Cleanup(func() { l.Close(); work.Wait() })
	work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer conn.Close()
				cmd := exec.Command("git", "daemon", "--inetd", "--export-all", "--base-path="+base, base)
				cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent"}
				cmd.Stdin, cmd.Stdout = conn, conn
				cmd.WaitDelay = 20 * time.Second
				_ = cmd.Run() // a client that ends early is an error of no interest
			})
		}
	})
	return l.Addr().String()
}

func TestBuildpackFromAnArchive(t *testing.T) {
	bp := newPack(t, map[string]string{"bin/compile": "echo from the archive"})
	file := filepath.Join(t.TempDir(), "pack.tar.gz")
	for _, prefix := range []string{"", "pack-main/"} {
		bp.git("archive", "--format=tar.gz", "--prefix="+prefix, "--output="+file, "HEAD")
		s := localSite(t, nil)
		_, out := s.mustBuild(t, newRepo(t, map[string]string{"Procfile": "web: x"}), map[string]string{"BUILDPACK_URL": "file://" + file})
		contains(t, out, "from the archive\n")
	}
}

func TestUnreachableBuildpackIsTakenFromTheCache(t *testing.T) {
	bp := newPack(t, map[string]string{"bin/compile": "echo cached"})
	s := localSite(t, nil)
	r := newRepo(t, map[string]string{"Procfile": "web: x"})
	env := map[string]string{"BUILDPACK_URL": bp.url()}
	s.mustBuild(t, r, env)
	if err := os.RemoveAll(bp.dir); err != nil {
		t.Fatal(err)
	}
	_, out := s.mustBuild(t, r, env)
	contains(t, out, "cannot be reached, using the copy of the last build", "cached\n")
}

func TestBuildpackURLs(t *testing.T) {
	c := newBuildpackCache(Config{Docker: fakeEngine(), Rewrite: map[string]string{"https://github.com/": "http://mirror.internal/"}})
	cases := map[string]struct {
		want    address
		refused string
	}{
		"https://github.com/a/b.git#v1":    {want: address{url: "http://mirror.internal/a/b.git", ref: "v1", show: "https://github.com/a/b.git#v1"}},
		"https://u:pw@example.com/b":       {want: address{url: "https://u:pw@example.com/b", show: "https://u:xxxxx@example.com/b"}},
		"https://example.com/b.tgz?x=1":    {want: address{url: "https://example.com/b.tgz?x=1", archive: true, show: "https://example.com/b.tgz?x=1"}},
		"git@github.com:a/b.git#x":         {want: address{url: "git@github.com:a/b.git", ref: "x", ssh: true, show: "git@github.com:a/b.git#x"}},
		"ssh://git@example.com/b":          {want: address{url: "ssh://git@example.com/b", ssh: true, show: "ssh://git@example.com/b"}},
		"file:///etc":                      {refused: "file:// is for the server's own list only"},
		"ext::sh -c x":                     {refused: "it has a character that no URL has"},
		"ext::sh":                          {refused: "use https, http, git or ssh"},
		"--upload-pack=x":                  {refused: "use https, http, git or ssh"},
		"https://example.com/b#--output=x": {refused: "it has a character that no URL has"},
		"/etc":                             {refused: "use https, http, git or ssh"},
	}
	for text, want := range cases {
		got, err := c.parse(packRef{url: text})
		var failure *Failure
		if want.refused != "" {
			if !errors.As(err, &failure) || !strings.HasSuffix(failure.Summary, want.refused) {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want.want, got, cmp.AllowUnexported(address{})); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func TestParseRelease(t *testing.T) {
	for _, text := range []string{"", "---", "--- {}\n", "null", "---\nconfig_vars:\ndefault_process_types:\n", "addons: [x]"} {
		data, err := parseRelease([]byte(text))
		if err != nil || len(data.ConfigVars)+len(data.DefaultProcessTypes) != 0 {
			t.Errorf("%q: %+v, %v", text, data, err)
		}
	}
	if _, err := parseRelease([]byte("default_process_types: [web]")); err == nil {
		t.Error("a list of types was accepted")
	}
}

// A cache above its limit is emptied before the next build, which says so.
func TestCacheIsBounded(t *testing.T) {
	small := func(cfg *Config) { local(cfg); cfg.Limits.CacheSize = 1 << 20 }
	onEverySite(t, small, func(t *testing.T, s *site) {
		bp := newPack(t, map[string]string{"bin/compile": `ls $2; mkdir $2/deep; head -c "$(cat $3/BYTES)" /dev/zero > $2/deep/object; chmod 500 $2/deep`})
		r := newRepo(t, map[string]string{"Procfile": "web: true"})
		build := func(bytes string) string {
			_, out := s.mustBuild(t, r, map[string]string{"BUILDPACK_URL": bp.url(), "BYTES": bytes})
			return out
		}
		build("2000000")
		if out := build("2000"); !strings.Contains(out, " !     The deployment cache had more than 1MiB and was emptied\n") || strings.Contains(out, "deep") {
			t.Errorf("the cache was not emptied\n%s", out)
		}
		if _, out, _ := s.build(t, r, map[string]string{"BUILDPACK_URL": bp.url(), "BYTES": "1"}); !strings.Contains(out, "deep\n") || strings.Contains(out, "emptied") {
			t.Errorf("a small cache was not kept\n%s", out)
		}
	})
}

// A server without internet cannot detect with buildpacks it has never had; the pusher, who has named none, is told so.
func TestDetectionWithoutInternet(t *testing.T) {
	s := localSite(t, func(cfg *Config) {
		cfg.Buildpacks = []Buildpack{{"go", "git://127.0.0.1:1/go"}}
	})
	out := s.mustFail(t, newRepo(t, map[string]string{"Procfile": "web: x"}), nil, "The server's buildpack go cannot be fetched")
	contains(t, out, " !     ", "go could not be fetched from git://127.0.0.1:1/go", "-buildpack none")
}
