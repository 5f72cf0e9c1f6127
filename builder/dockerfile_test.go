package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/google/go-cmp/cmp"
)

// engineSite is a builder on the real engine with a namespace of its own, checked for left-overs when the test ends.
type engineSite struct {
	*Build
	t   *testing.T
	api *client.Client
}

func newEngineSite(t *testing.T, configure func(*Config)) *engineSite {
	t.Helper()
	api := engine(t)
	cfg := Config{Dir: t.TempDir(), Docker: api, Namespace: fmt.Sprintf("boathook-test-%d", time.Now().UnixNano())}
	if configure != nil {
		configure(&cfg)
	}
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &engineSite{b, t, api}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), time.Minute)
		defer stop()
		// An image that others are made from cannot be removed before them, so the last ones go first and take with them what is below.
		for _, id := range s.images(ctx, image.ListOptions{}) {
			if err := removeImage(ctx, api, id); err != nil {
				t.Error(err)
			}
		}
		s.nothingLeft()
	})
	return s
}

// images lists the ids of what the site's builds made: the last images alone, or those below them too.
func (s *engineSite) images(ctx context.Context, which image.ListOptions) []string {
	s.t.Helper()
	which.Filters = filters.NewArgs(filters.Arg("label", "boathook.namespace="+s.cfg.Namespace))
	list, err := s.api.ImageList(ctx, which)
	if err != nil {
		s.t.Fatal(err)
	}
	var ids []string
	for _, i := range list {
		ids = append(ids, i.ID)
	}
	return ids
}

// nothingLeft fails the test if a container or an image of the site's is there.
func (s *engineSite) nothingLeft() {
	s.t.Helper()
	ctx := context.Background()
	if left := s.images(ctx, image.ListOptions{All: true}); len(left) > 0 {
		s.t.Errorf("images left: %v", left)
	}
	containers, err := s.api.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", "boathook.namespace="+s.cfg.Namespace))})
	if err != nil {
		s.t.Fatal(err)
	}
	if len(containers) > 0 {
		s.t.Errorf("%d containers left", len(containers))
	}
}

// stepsGone fails the test if an image is there that the classic builder says it made on top of base.
func (s *engineSite) stepsGone(out, base string) {
	s.t.Helper()
	info, err := s.api.ImageInspect(context.Background(), base)
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		m := classicImage.FindStringSubmatch(line)
		if m == nil || strings.HasPrefix(info.ID, "sha256:"+m[1]) {
			continue
		}
		if _, err := s.api.ImageInspect(context.Background(), m[1]); !errdefs.IsNotFound(err) {
			s.t.Errorf("image of a step: inspecting %s: %v, want not found", m[1], err)
		}
	}
}

// build builds the files and returns what the pusher read.
func (s *engineSite) build(ctx context.Context, files map[string]string, env map[string]string) (Image, string, error) {
	s.t.Helper()
	r := newRepo(s.t, files)
	var out bytes.Buffer
	img, err := s.Build.Build(ctx, Request{
		App: "my-app", Deployment: "7", Commit: r.git("rev-parse", "HEAD"), GitDir: filepath.Join(r.dir, ".git"), Env: env, Out: &out,
	})
	s.t.Logf("pusher reads:\n%s", out.String())
	return img, out.String(), err
}

// run runs argv in the image and returns its output.
func (s *engineSite) run(ref string, argv ...string) string {
	s.t.Helper()
	out, err := exec.CommandContext(s.t.Context(), "docker", append([]string{"run", "--rm", "--network=none", ref}, argv...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("run %q: %v\n%s", argv, err, out)
	}
	return string(out)
}

// tiny makes a tiny stack image of the site's own, which goes when the test ends.
func (s *engineSite) tiny() string {
	s.t.Helper()
	ref, err := (&Stacks{Docker: s.api, Namespace: s.cfg.Namespace}).EnsureTiny(s.t.Context(), s.t.Output())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := removeImage(context.Background(), s.api, ref); err != nil {
			s.t.Error(err)
		}
	})
	return ref
}

// staticProgram compiles a program that says hello, linked statically.
func staticProgram(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	source := "package main\n\nimport \"os\"\n\nfunc main() { os.Stdout.WriteString(\"hello from scratch\\n\") }\n"
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", "app", "main.go")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GO111MODULE=off", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, "app"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// builders runs a test with BuildKit and with the classic builder.
func builders(t *testing.T, test func(*testing.T, *engineSite)) {
	t.Run("buildkit", func(t *testing.T) { test(t, newEngineSite(t, nil)) })
	t.Run("classic", func(t *testing.T) {
		// BuildKit cannot join the engine's bridge by its name, so that this builds with the classic builder.
		test(t, newEngineSite(t, func(c *Config) { c.Network = "bridge" }))
	})
}

func TestDockerfileFromScratch(t *testing.T) {
	program := staticProgram(t)
	builders(t, func(t *testing.T, s *engineSite) {
		img, _, err := s.build(t.Context(), map[string]string{
			"Dockerfile": "FROM scratch\nCOPY app /app\nCMD [\"/app\"]\n", "app*": program,
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"web": ""}, img.Types); diff != "" || img.Launcher != nil {
			t.Errorf("types (-want +got):\n%s\nlauncher %q", diff, img.Launcher)
		}
		if img.Size < int64(len(program)) {
			t.Errorf("size = %d, want at least %d", img.Size, len(program))
		}
		if got := s.run(img.Ref); got != "hello from scratch\n" {
			t.Errorf("the image says %q", got)
		}
		if err := s.Remove(t.Context(), img.Ref); err != nil {
			t.Fatal(err)
		}
		if err := s.Remove(t.Context(), img.Ref); err != nil {
			t.Errorf("removing what is not there: %v", err)
		}
		s.nothingLeft()
	})
}

func TestDockerfileLeavesSecretsOut(t *testing.T) {
	builders(t, func(t *testing.T, s *engineSite) {
		img, out, err := s.build(t.Context(), map[string]string{
			"Dockerfile": "FROM " + s.tiny() + "\nARG SOURCE_VERSION\nARG APP\nARG TOKEN=none\n" +
				"RUN echo \"version=$SOURCE_VERSION app=$APP token=$TOKEN\" > /built\nCOPY . /src\n",
			".dockerignore": "*.log\nDockerfile\n.dockerignore\ndeep\n!deep/kept\n",
			"Procfile":      "web: ./serve --port $PORT\npostdeploy: echo done\n",
			"a.txt":         "a", "debug.log": "noise", "deep/lost": "x", "deep/kept": "y",
		}, map[string]string{"TOKEN": "s3cr3t-value"})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"/bin/bash", "-c"}, img.Launcher); diff != "" {
			t.Errorf("launcher (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[string]string{"web": "./serve --port $PORT", "postdeploy": "echo done"}, img.Types); diff != "" {
			t.Errorf("types (-want +got):\n%s", diff)
		}
		built := s.run(img.Ref, "cat", "/built")
		if !strings.Contains(built, "app=my-app token=none") || strings.Contains(built, "version= ") {
			t.Errorf("the build saw %q", built)
		}
		files := s.run(img.Ref, "sh", "-c", "cd /src && find . -type f | sort")
		for name, want := range map[string]bool{"./a.txt": true, "./debug.log": false, "./deep/lost": false, "./deep/kept": true} {
			if got := strings.Contains(files, name+"\n"); got != want {
				t.Errorf("%s in the image: %v, want %v", name, got, want)
			}
		}
		history, err := s.api.ImageHistory(t.Context(), img.Ref)
		if err != nil {
			t.Fatal(err)
		}
		info, err := s.api.ImageInspect(t.Context(), img.Ref)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(fmt.Sprintf("%+v %+v", history, *info.Config), "s3cr3t-value") || strings.Contains(out, "s3cr3t-value") {
			t.Error("the app's variable is in the image or in the output")
		}
	})
}

func TestDockerfileFailures(t *testing.T) {
	builders(t, func(t *testing.T, s *engineSite) {
		base := s.tiny()
		for name, row := range map[string]struct{ dockerfile, said, summary string }{
			"step": {"FROM " + base + "\nRUN echo before\nRUN echo $(( 40 + 2 )) && exit 3\n", "42", badDockerBuild},
			"base": {"FROM 127.0.0.1:1/no/such:image\nRUN true\n", " !     ", "The base image 127.0.0.1:1/no/such:image cannot be fetched"},
			"text": {"FROM " + base + "\nFLY away\n", "FLY", badDockerBuild},
			"file": {"FROM " + base + "\nCOPY absent /\n", "absent", badDockerBuild},
		} {
			t.Run(name, func(t *testing.T) {
				_, out, err := s.build(t.Context(), map[string]string{"Dockerfile": row.dockerfile}, nil)
				var failure *Failure
				if !errors.As(err, &failure) || !strings.HasPrefix(failure.Summary, row.summary) {
					t.Errorf("error = %v, want the failure %q", err, row.summary)
				}
				if !strings.Contains(out, row.said) {
					t.Errorf("the pusher does not read %q", row.said)
				}
				s.nothingLeft()
				s.stepsGone(out, base)
			})
		}
	})
}

func TestDockerfileImageTooLarge(t *testing.T) {
	s := newEngineSite(t, func(c *Config) { c.Limits.ImageSize = 1 << 20 })
	_, _, err := s.build(t.Context(), map[string]string{"Dockerfile": "FROM " + s.tiny() + "\nRUN true\n"}, nil)
	var failure *Failure
	if !errors.As(err, &failure) || !strings.Contains(failure.Summary, "The image has") {
		t.Errorf("error = %v", err)
	}
	s.nothingLeft()
}

// cancelOn ends a context as soon as a text was written.
type cancelOn struct {
	text   string
	seen   bytes.Buffer
	cancel context.CancelFunc
}

func (c *cancelOn) Write(p []byte) (int, error) {
	c.seen.Write(p)
	if strings.Contains(c.seen.String(), c.text) {
		c.cancel()
	}
	return len(p), nil
}

func TestDockerfileCancel(t *testing.T) {
	builders(t, func(t *testing.T, s *engineSite) {
		r := newRepo(t, map[string]string{"Dockerfile": "FROM " + s.tiny() + "\nRUN echo first\nRUN echo now-$((1+1)) && sleep 300\n"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		out := &cancelOn{text: "now-2", cancel: cancel}
		_, err := s.Build.Build(ctx, Request{App: "my-app", Deployment: "8", Commit: r.git("rev-parse", "HEAD"), GitDir: filepath.Join(r.dir, ".git"), Out: out})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error = %v, want canceled\n%s", err, out.seen.String())
		}
		s.nothingLeft()
		s.stepsGone(out.seen.String(), s.tiny())
	})
}

func TestDockerfileSyntaxLine(t *testing.T) {
	s := newEngineSite(t, nil)
	_, _, err := s.build(t.Context(), map[string]string{"Dockerfile": "# syntax=127.0.0.1:1/dockerfile:1\nFROM scratch\nCOPY . /\n"}, nil)
	var failure *Failure
	if !errors.As(err, &failure) || !strings.Contains(failure.Summary, "# syntax=127.0.0.1:1/dockerfile:1") {
		t.Errorf("error = %v", err)
	}
	s.nothingLeft()
}

// BenchmarkDockerfileFromScratch compares a build by this package with the same one by hand through the engine's API.
func BenchmarkDockerfileFromScratch(b *testing.B) {
	api, program := engine(b), staticProgram(b)
	namespace := fmt.Sprintf("boathook-bench-%d", time.Now().UnixNano())
	dir := b.TempDir()
	for name, text := range map[string]string{"Dockerfile": "FROM scratch\nCOPY app /app\nCMD [\"/app\"]\n", "app": program} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-q", "-m", "x"}} {
		if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			b.Fatalf("git: %v\n%s", err, out)
		}
	}
	head, err := exec.Command("git", "-C", dir, "rev-parse", "HEAD").Output()
	if err != nil {
		b.Fatal(err)
	}
	commit := strings.TrimSpace(string(head))
	builder, err := New(Config{Dir: b.TempDir(), Docker: api, Namespace: namespace})
	if err != nil {
		b.Fatal(err)
	}
	number := 0
	b.Run("boathook", func(b *testing.B) {
		for b.Loop() {
			number++
			img, err := builder.Build(b.Context(), Request{App: "bench", Deployment: fmt.Sprint(number), Commit: commit, GitDir: filepath.Join(dir, ".git")})
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if err := builder.Remove(b.Context(), img.Ref); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	for _, version := range []build.BuilderVersion{build.BuilderBuildKit, build.BuilderV1} {
		b.Run("by hand, version "+string(version), func(b *testing.B) {
			for b.Loop() {
				number++
				body, err := exec.Command("git", "-C", dir, "archive", "HEAD").Output()
				if err != nil {
					b.Fatal(err)
				}
				answer, err := api.ImageBuild(b.Context(), bytes.NewReader(body), build.ImageBuildOptions{
					Version: version, Remove: true, ForceRemove: true, Labels: map[string]string{"n": fmt.Sprint(number), labelNamespace: namespace},
				})
				if err != nil {
					b.Fatal(err)
				}
				var id imageID
				if err := readMessages(answer.Body, id.message); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := errors.Join(answer.Body.Close(), removeImage(b.Context(), api, id.id)); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}
