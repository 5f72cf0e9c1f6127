package builder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/build"
)

// badDockerBuild is the sentence for a Dockerfile whose build ends badly.
const badDockerBuild = "Invalid return code from docker build"

// cancelTime is how long a cancelled BuildKit build may take to say that it has ended.
const cancelTime = 10 * time.Second

// dockerfileBuild is one build of a Dockerfile.
//
// The app's variables do not reach it. What a build argument holds is kept in the image's history for everyone who
// can read the image, and BuildKit's secrets need a session. Only SOURCE_VERSION, APP and STACK are given, to
// Dockerfiles that declare them with ARG, and the proxy, which the engine leaves out of the history.
//
// BuildKit keeps what it built in the engine's own build cache, which is not an image and does not grow without
// bounds: the engine collects it (builder.gc in daemon.json). It ignores Limits.Memory; the classic builder obeys.
type dockerfileBuild struct {
	*Build
	req  Request
	src  *Source
	text string // of the Dockerfile
}

// dockerfile builds the Dockerfile in the root of src.
func (b *Build) dockerfile(ctx context.Context, req Request, src *Source) (image Image, err error) {
	text, err := src.ReadFile(ctx, "Dockerfile")
	if errors.Is(err, fs.ErrNotExist) {
		return Image{}, &Failure{Summary: "The Dockerfile is not a regular file", Err: err}
	}
	if err != nil {
		return Image{}, err
	}
	run := &dockerfileBuild{Build: b, req: req, src: src, text: string(text)}
	types, err := run.processTypes(ctx)
	if err != nil {
		return Image{}, err
	}
	run.warnOfArguments()
	defer func() {
		if err != nil {
			err = errors.Join(err, run.discard(ctx))
		}
	}()
	id, err := run.image(ctx)
	if err != nil {
		return Image{}, err
	}
	return run.finish(ctx, id, types)
}

// processTypes are those of the Procfile; without one the image's own command is the web process.
func (d *dockerfileBuild) processTypes(ctx context.Context) (map[string]string, error) {
	text, err := d.src.ReadFile(ctx, "Procfile")
	if errors.Is(err, fs.ErrNotExist) {
		say(d.req.Out, "-----> No Procfile, the image's own command is the type web")
		return map[string]string{"web": ""}, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := ParseProcfileOrdered(text)
	if err != nil {
		return nil, err
	}
	types, names := map[string]string{}, []string{}
	for _, p := range list {
		types[p.Type] = p.Command
		names = append(names, p.Type)
	}
	say(d.req.Out, "-----> Procfile declares types -> %s", strings.Join(names, ", "))
	return types, nil
}

// image builds with BuildKit where the engine offers it, else with the classic builder, and returns the image's id.
func (d *dockerfileBuild) image(ctx context.Context) (string, error) {
	say(d.req.Out, "-----> Building the Dockerfile")
	if d.req.NoCache {
		say(d.req.Out, "Leaving the build cache out")
	}
	if !buildKitNetwork(d.cfg.Network) {
		return d.classic(ctx)
	}
	id, err := d.buildKit(ctx)
	if errors.Is(err, errNoBuildKit) {
		d.cfg.Log.Info("no buildkit, building with the classic builder", "app", d.req.App, "deployment", d.req.Deployment, "err", err)
		return d.classic(ctx)
	}
	return id, err
}

// options are common to both builders. Remove and ForceRemove make the classic one remove its containers.
func (d *dockerfileBuild) options(version build.BuilderVersion) build.ImageBuildOptions {
	return build.ImageBuildOptions{
		Version: version, Dockerfile: "Dockerfile", Tags: []string{d.imageTag(d.req)}, Labels: d.imageLabels(d.req),
		BuildArgs: d.arguments(), NoCache: d.req.NoCache, Remove: true, ForceRemove: true,
		NetworkMode: d.cfg.Network, ExtraHosts: d.cfg.ExtraHosts,
	}
}

// finish checks and describes the image.
func (d *dockerfileBuild) finish(ctx context.Context, id string, types map[string]string) (Image, error) {
	info, err := d.cfg.Docker.ImageInspect(ctx, id)
	if err != nil {
		return Image{}, fmt.Errorf("image: %w", err)
	}
	if info.Size > d.cfg.Limits.ImageSize {
		return Image{}, tooLarge(info.Size, d.cfg.Limits.ImageSize)
	}
	launcher, err := d.launcher(ctx, id, types)
	if err != nil {
		return Image{}, err
	}
	return Image{Ref: info.ID, Launcher: launcher, Types: types, Size: info.Size, Stack: "container"}, nil
}

// discard removes the image, if the build came so far.
func (d *dockerfileBuild) discard(ctx context.Context) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer stop()
	return d.removeImage(ctx, d.imageTag(d.req))
}

var argumentLine = regexp.MustCompile(`(?im)^[ \t]*ARG[ \t]+(.+)$`)

// declared lists the names that the Dockerfile's ARG lines declare.
func (d *dockerfileBuild) declared() map[string]bool {
	names := map[string]bool{}
	for _, m := range argumentLine.FindAllStringSubmatch(d.text, -1) {
		for _, word := range strings.Fields(m[1]) {
			name, _, _ := strings.Cut(word, "=")
			names[name] = true
		}
	}
	return names
}

// arguments are the build arguments.
func (d *dockerfileBuild) arguments() map[string]*string {
	declared, args := d.declared(), map[string]*string{}
	for name, value := range map[string]string{"SOURCE_VERSION": d.req.Commit, "APP": d.req.App, "STACK": "container"} {
		if declared[name] {
			args[name] = &value
		}
	}
	if d.cfg.Proxy != "" {
		for _, name := range []string{"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"} {
			args[name] = &d.cfg.Proxy
		}
	}
	return args
}

// warnOfArguments tells those who expect their variables as build arguments why they are not there.
func (d *dockerfileBuild) warnOfArguments() {
	declared := d.declared()
	for _, name := range slices.Sorted(maps.Keys(d.req.Env)) {
		if declared[name] {
			say(d.req.Out, " !     ARG %s does not get the app's variable: it would stay in the image's history. Read it when the app starts", name)
		}
	}
}
