package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
)

// badReturn is the platform's sentence for every phase that fails.
const badReturn = "Invalid return code from buildpack"

// packBuild is one build with buildpacks: the state between its phases.
type packBuild struct {
	*Build
	req     Request
	sb      sandbox
	env     []string // of every phase
	exports []string // files that earlier buildpacks left for later ones
}

// buildpack runs the plan's buildpacks over src in a sandbox of its own.
func (b *Build) buildpack(ctx context.Context, req Request, src *Source, p plan) (Image, error) {
	if err := checkProcfile(ctx, src); err != nil {
		return Image{}, err
	}
	sb, err := b.newSandbox(ctx, req, src)
	if err != nil {
		return Image{}, err
	}
	defer func() {
		if err := discard(ctx, sb); err != nil {
			b.cfg.Log.Error("build not removed", "app", req.App, "deployment", req.Deployment, "err", err)
		}
	}()
	run := &packBuild{Build: b, req: req, sb: sb, env: b.phaseEnv(req, sb.layout())}
	types, err := run.phasesWithin(ctx, p)
	if err != nil {
		return Image{}, err
	}
	image, err := b.finish(ctx, sb, types)
	if err != nil {
		return Image{}, err
	}
	say(req.Out, "-----> Build complete, uploading deployment cache.")
	image.Types, image.Stack = types, b.cfg.StackName
	return image, nil
}

// discardPause is between two attempts to remove a sandbox.
const discardPause = 500 * time.Millisecond

// discard removes a sandbox, whatever ctx says. What it cannot remove within cleanupTime stays until the next start, so an engine that is away
// for a moment is asked again.
func discard(ctx context.Context, sb sandbox) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer stop()
	for {
		err := sb.discard(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(discardPause):
		}
	}
}

// finish makes the image, and removes it again if it is too large or nobody waits for it any more.
func (b *Build) finish(ctx context.Context, sb sandbox, types map[string]string) (Image, error) {
	image, err := sb.finish(ctx, types)
	if err != nil {
		return Image{}, err
	}
	if err = ctx.Err(); err == nil && image.Size > b.cfg.Limits.ImageSize {
		err = tooLarge(image.Size, b.cfg.Limits.ImageSize)
	}
	if err != nil {
		clean, stop := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer stop()
		return Image{}, errors.Join(err, b.Remove(clean, image.Ref))
	}
	return image, nil
}

// checkProcfile refuses a committed Procfile that could not be used before anything is built.
func checkProcfile(ctx context.Context, src *Source) error {
	data, err := src.ReadFile(ctx, "Procfile")
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a buildpack may make one
	}
	if err != nil {
		return err
	}
	_, err = ParseProcfileOrdered(data)
	return err
}

// phasesWithin is phases within the size that a sandbox may have.
func (r *packBuild) phasesWithin(ctx context.Context, p plan) (map[string]string, error) {
	ctx, rest := r.withSize(ctx, r.sb)
	types, err := r.phases(ctx, p)
	rest()
	var large *Failure
	if err != nil && errors.As(context.Cause(ctx), &large) {
		return nil, large
	}
	return types, err
}

// phases runs detect, compile and release, and returns the process types.
func (r *packBuild) phases(ctx context.Context, p plan) (map[string]string, error) {
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	packs, err := r.choose(ctx, p)
	if err != nil {
		return nil, err
	}
	for _, dir := range packs {
		if err := r.compile(ctx, dir); err != nil {
			return nil, err
		}
	}
	data, err := r.release(ctx, packs[len(packs)-1])
	if err != nil {
		return nil, err
	}
	build := r.sb.layout().build
	files, err := readFiles(ctx, r.sb, path.Join(build, "Procfile"), path.Join(build, ".slugignore")) // as they are after the build
	if err != nil {
		return nil, err
	}
	types, err := r.processTypes(files[0], data)
	if err != nil {
		return nil, err
	}
	if err := r.putConfigVars(ctx, data.ConfigVars); err != nil {
		return nil, err
	}
	return types, r.slugIgnore(ctx, files[1])
}

// runPhase sources the exports and runs argv in a buildpack's directory.
const runPhase = `while [ "$1" != -- ]; do boathook_export=$1; shift; [ ! -f "$boathook_export" ] || . "$boathook_export" </dev/null; done; shift; exec "$@"`

// phase runs bin/NAME of the buildpack in dir and returns its exit status.
func (r *packBuild) phase(ctx context.Context, dir, name string, stdout, stderr io.Writer, args ...string) (int, error) {
	argv := append([]string{"bash", "-c", runPhase, "boathook"}, r.exports...)
	argv = append(append(argv, "--", "bin/"+name), args...)
	return r.sb.exec(ctx, command{argv: argv, dir: dir, env: r.env, stdout: stdout, stderr: stderr})
}

// detect asks whether a buildpack fits. That a wanted one does not is an error; of a candidate it is an answer.
func (r *packBuild) detect(ctx context.Context, ref packRef, dir string, wanted bool) (bool, error) {
	var name, said strings.Builder
	code, err := r.phase(ctx, dir, "detect", &name, &said, r.sb.layout().build)
	if err != nil {
		return false, err
	}
	if code == 0 {
		if first, _, _ := strings.Cut(strings.TrimSpace(name.String()), "\n"); first != "" {
			say(r.req.Out, "-----> %s app detected", first)
		}
		return true, nil
	}
	if !wanted {
		return false, nil
	}
	for line := range strings.Lines(name.String() + said.String()) {
		say(r.req.Out, "       %s", strings.TrimRight(line, "\r\n"))
	}
	say(r.req.Out, " !     The buildpack %s does not fit this app", ref.title())
	return false, r.failed(ctx, "detect", code)
}

// compile runs bin/compile and remembers the buildpack's export file.
func (r *packBuild) compile(ctx context.Context, dir string) error {
	l := r.sb.layout()
	code, err := r.phase(ctx, dir, "compile", r.req.Out, r.req.Out, l.build, l.cache, l.env)
	if err != nil {
		return err
	}
	if code != 0 {
		return r.failed(ctx, "compile", code)
	}
	r.exports = append(r.exports, path.Join(dir, "export"))
	return nil
}

// failed is the error for a phase's exit status.
func (r *packBuild) failed(ctx context.Context, phase string, code int) error {
	cause := fmt.Errorf("bin/%s: exit status %d", phase, code)
	if r.sb.outOfMemory(ctx) {
		say(r.req.Out, " !     The build used more than its %d MB of memory", r.cfg.Limits.Memory>>20)
		return &Failure{Summary: "The build ran out of memory", Err: cause}
	}
	return &Failure{Summary: badReturn, Err: cause}
}

// newSandbox makes the sandbox of the configured kind, with the source in it.
func (b *Build) newSandbox(ctx context.Context, req Request, src *Source) (sandbox, error) {
	if b.cfg.Docker != nil {
		return b.newDockerSandbox(ctx, req, src)
	}
	return b.newLocalSandbox(ctx, req, src)
}

// openCache empties the cache $2 if it has more than $3 KiB, and says what it found.
const openCache = `size=$(du -sk "$2" | cut -f 1)
if [ "$size" -gt "$3" ]; then
  chmod -R u+rwX "$2"; find "$2" -mindepth 1 -maxdepth 1 -exec rm -rf {} +
  echo emptied
elif [ "$(ls -A "$2")" ]; then
  echo found
fi`

// prepare fills the env directory, empties the cache if that is asked for or it has grown beyond its limit, and tells the pusher when there is one.
func (r *packBuild) prepare(ctx context.Context) error {
	env, err := r.envTar()
	if err != nil {
		return err
	}
	limit := r.cfg.Limits.CacheSize >> 10
	if r.req.NoCache {
		limit = -1
	}
	var found bytes.Buffer
	l := r.sb.layout()
	if err := put(ctx, r.sb, l.env, env, openCache, &found, l.cache, strconv.FormatInt(limit, 10)); err != nil {
		return fmt.Errorf("env directory and build cache: %w", err)
	}
	switch answer := strings.TrimSpace(found.String()); {
	case r.req.NoCache:
		say(r.req.Out, "Leaving the deployment cache out")
	case answer == "found":
		say(r.req.Out, "Fetching deployment cache")
	case answer == "emptied":
		say(r.req.Out, " !     The deployment cache had more than %s and was emptied", units.BytesSize(float64(r.cfg.Limits.CacheSize)))
	}
	return nil
}
