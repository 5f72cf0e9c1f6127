package builder

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/docker/docker/client"
	"github.com/docker/go-units"
)

// cleanupTime is how long removing what a build made may take after the build's own context has ended.
const cleanupTime = 30 * time.Second

// Buildpack is one of the operator's list, tried in detection and chosen by BUILDPACK_NAME.
type Buildpack struct {
	Name string // "ruby"; detection goes by alphabetical order of names
	URL  string // git URL with an optional "#ref", or of a .tgz
}

// Config says where and how builds run. Dir is required.
type Config struct {
	Dir       string         // absolute: cache of buildpacks; for local builds also app caches and images
	Docker    *client.Client // nil builds on the host itself
	Namespace string         // value of the label boathook.namespace, prefix of volume names; default "boathook"

	// Stack ensures the stack image and returns its reference, telling progress to out; it is called once a build
	// that needs it. Without it StackImage is used as it is. Both are for Docker only.
	Stack      func(ctx context.Context, out io.Writer) (string, error)
	StackImage string
	StackName  string // $STACK, default "scalingo-24"

	Buildpacks []Buildpack
	Rewrite    map[string]string // prefix of a buildpack URL to what replaces it (a mirror); the longest match counts
	// LocalURLs lets apps name buildpacks by file:// URLs. Builds on the host and Buildpacks may always do so. On a
	// machine of several users it would let them read each other's repositories.
	LocalURLs bool

	// Network is the engine's network of builds. "none" is no network. "" is the app's own where Join is given, else
	// the engine's default. BuildKit can join no other than the default one, and so builds there with "". "app" is
	// the app's own for all builds; Dockerfiles are then built by the engine's classic builder.
	Network string
	// Join returns the name of the app's own network, which is fenced in, and a function to be called when the
	// container of the build is gone. It is for Docker only.
	Join func(ctx context.Context, app string) (network string, leave func(context.Context) error, err error)

	ExtraHosts []string // "name:address", added to the containers' hosts file
	Proxy      string   // URL for http and https while building
	CAFile     string   // PEM bundle of certificate authorities that replaces the tools' own while building
	Limits     Limits
	Log        *slog.Logger
}

// Build builds with buildpacks or a Dockerfile. It is safe for concurrent use; builds of one app share a cache and
// are expected one at a time.
type Build struct {
	cfg        Config
	buildpacks *buildpackCache
}

var _ Builder = (*Build)(nil)

// New checks the configuration, fills in defaults and makes cfg.Dir.
func New(cfg Config) (*Build, error) {
	if !filepath.IsAbs(cfg.Dir) {
		return nil, fmt.Errorf("builder: directory %q is not absolute", cfg.Dir)
	}
	cfg.Namespace = cmp.Or(cfg.Namespace, "boathook")
	cfg.StackName = cmp.Or(cfg.StackName, "scalingo-24")
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	for _, sub := range []string{"buildpacks", "images", "cache", "builds", "scratch"} {
		if err := os.MkdirAll(filepath.Join(cfg.Dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("builder: %w", err)
		}
	}
	return &Build{cfg: cfg, buildpacks: newBuildpackCache(cfg)}, nil
}

// withDefaults replaces zeros by the specification's values.
func (l Limits) withDefaults() Limits {
	l.Time = cmp.Or(l.Time, 30*time.Minute)
	l.ImageSize = cmp.Or(l.ImageSize, 2*units.GiB)
	l.CacheSize = cmp.Or(l.CacheSize, 2*units.GiB)
	l.SourceSize = cmp.Or(l.SourceSize, 300*units.MB)
	l.SourceFiles = cmp.Or(l.SourceFiles, 200_000)
	l.Memory = cmp.Or(l.Memory, 2*units.GiB)
	l.PIDs = cmp.Or(l.PIDs, 2048)
	return l
}

// namePattern is what an app or a deployment may be called where it names volumes, containers and directories.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$`)

// Build implements Builder.
func (b *Build) Build(ctx context.Context, req Request) (Image, error) {
	if !namePattern.MatchString(req.App) || !namePattern.MatchString(req.Deployment) {
		return Image{}, fmt.Errorf("build: app %q or deployment %q is not a valid name", req.App, req.Deployment)
	}
	if req.Out == nil {
		req.Out = io.Discard
	}
	late := &Failure{Summary: fmt.Sprintf("The build took longer than %s", b.cfg.Limits.Time), Err: context.DeadlineExceeded}
	ctx, stop := context.WithTimeoutCause(ctx, b.cfg.Limits.Time, late)
	defer stop()
	image, err := b.build(ctx, req)
	if err == nil {
		return image, nil
	}
	if ctx.Err() != nil {
		return Image{}, fmt.Errorf("build: %w", context.Cause(ctx))
	}
	if b.cfg.Docker == nil {
		return Image{}, err
	}
	return Image{}, unavailable(err)
}

// build is Build without its time limit.
func (b *Build) build(ctx context.Context, req Request) (Image, error) {
	say(req.Out, "Fetching source code")
	src, err := openSource(ctx, place{gitDir: req.GitDir, commit: req.Commit, dir: req.Env["PROJECT_DIR"], scratch: filepath.Join(b.cfg.Dir, "scratch")}, b.cfg.Limits)
	if err != nil {
		return Image{}, err
	}
	defer func() {
		if err := src.Close(); err != nil {
			b.cfg.Log.Error("source not removed", "app", req.App, "deployment", req.Deployment, "err", err)
		}
	}()
	for _, sub := range src.Submodules {
		say(req.Out, " !     The submodule %s is not fetched: commit its files, or use a buildpack that does", sub)
	}
	p, err := b.plan(ctx, req, src)
	if err != nil {
		return Image{}, err
	}
	if p.dockerfile {
		if b.cfg.Docker == nil {
			return Image{}, &Failure{Summary: "A Dockerfile needs a Docker engine, and this server builds without one: add a buildpack (BUILDPACK_URL or .buildpacks), or start boathook with --engine docker"}
		}
		return b.dockerfile(ctx, req, src)
	}
	return b.buildpack(ctx, req, src, p)
}

// Remove implements Builder.
func (b *Build) Remove(ctx context.Context, ref string) error {
	if b.cfg.Docker != nil {
		return unavailable(b.removeImage(ctx, ref))
	}
	return b.removeLocalImage(ref)
}

// Images implements Builder.
func (b *Build) Images(ctx context.Context) ([]string, error) {
	if b.cfg.Docker != nil {
		return b.dockerImages(ctx)
	}
	return filepath.Glob(filepath.Join(b.cfg.Dir, "images", "*"))
}

// DeleteCache implements Builder.
func (b *Build) DeleteCache(ctx context.Context, app string) error {
	if !namePattern.MatchString(app) {
		return fmt.Errorf("delete cache: %q is not a valid name", app)
	}
	if b.cfg.Docker != nil {
		return b.removeCacheVolume(ctx, app)
	}
	return removeTree(filepath.Join(b.cfg.Dir, "cache", app))
}

// say writes one line to the pusher. That the pusher is gone is told by ctx, not by an error here.
func say(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format+"\n", args...)
}

// tooLarge is the failure of an image above the limit, both in bytes.
func tooLarge(size, limit int64) error {
	return &Failure{Summary: fmt.Sprintf("The image has %s, more than the limit of %s: leave out what the app does not need with .slugignore or .dockerignore",
		units.BytesSize(float64(size)), units.BytesSize(float64(limit)))}
}
