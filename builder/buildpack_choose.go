package builder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
)

// choose unpacks the buildpacks that will compile and returns their directories in the sandbox.
func (r *packBuild) choose(ctx context.Context, p plan) ([]string, error) {
	var dirs []string
	for i, ref := range p.packs {
		dir := path.Join(r.sb.layout().packs, fmt.Sprint(i))
		if err := r.unpack(ctx, ref, dir, !p.detect); err != nil {
			return nil, r.unpacked(ctx, ref, p, err)
		}
		fits, err := r.detect(ctx, ref, dir, !p.detect)
		if err != nil {
			return nil, err
		}
		if fits {
			dirs = append(dirs, dir)
		}
		if fits && p.detect {
			return dirs, nil
		}
	}
	if len(dirs) == 0 {
		r.sayNothingFits()
		return nil, &Failure{Summary: badReturn}
	}
	return dirs, nil
}

// unpacked explains why a candidate of the detection could not be had: the pusher has named no address.
func (r *packBuild) unpacked(ctx context.Context, ref packRef, p plan, err error) error {
	var failure *Failure
	if !p.detect || !errors.As(err, &failure) || ctx.Err() != nil {
		return err
	}
	say(r.req.Out, " !     To tell what the app is made of, the server needs its buildpacks, and %s could not be fetched from %s", ref.name, ref.url)
	say(r.req.Out, " !     Push again if that was a hitch of the network. On a server without internet the operator starts boathook with")
	say(r.req.Out, " !     -buildpack none (a Procfile alone is enough then), or with -buildpack NAME=URL of a copy within reach.")
	return &Failure{Summary: "The server's buildpack " + ref.name + " cannot be fetched", Err: err}
}

func (r *packBuild) sayNothingFits() {
	for _, line := range []string{
		"We didn't find the type of technology you are using...",
		"Add one of these to your source and push again:",
		"- a file that one of this server's buildpacks looks for",
		"- a file .buildpacks with the URL of a buildpack, or the variable BUILDPACK_URL",
		"- a Dockerfile",
		"- a Procfile (\"web: ./my-program\"), if the programs are ready to run",
		"If the app is in a subdirectory, set the variable PROJECT_DIR.",
	} {
		say(r.req.Out, " !     %s", line)
	}
}

// unpack brings a buildpack into dir. A custom one is told to the pusher.
func (r *packBuild) unpack(ctx context.Context, ref packRef, dir string, custom bool) error {
	if ref.url == "" {
		stream, err := embeddedTar()
		if err != nil {
			return err
		}
		return r.put(ctx, stream, dir)
	}
	a, err := r.buildpacks.parse(ref)
	if err != nil {
		return err
	}
	if custom {
		say(r.req.Out, "-----> Cloning custom buildpack: %s", a.show)
	}
	if a.ssh {
		return r.cloneInside(ctx, a, dir)
	}
	stream, err := r.buildpacks.open(ctx, a, ref.listed, r.req.Out)
	if err != nil {
		return err
	}
	return r.put(ctx, stream, dir)
}

// put unpacks and closes stream, lifts the single top directory of a forge's archive, and makes bin/* executable.
func (r *packBuild) put(ctx context.Context, stream io.ReadCloser, dir string) error {
	const tidy = `set -- */; if [ ! -d bin ] && [ $# = 1 ] && [ -d "$1/bin" ]; then mv "$1"* .; fi; [ ! -d bin ] || chmod +x bin/*`
	err := put(ctx, r.sb, dir, stream, tidy, nil)
	if err = errors.Join(err, stream.Close()); err != nil {
		return fmt.Errorf("unpack buildpack: %w", err)
	}
	return nil
}

// cloneInside clones over SSH in the sandbox, as an earlier buildpack may have installed the key there.
func (r *packBuild) cloneInside(ctx context.Context, a address, dir string) error {
	const clone = `[ -f ~/.ssh/known_hosts ] || GIT_SSH_COMMAND="ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new"; export GIT_SSH_COMMAND
git clone --quiet -- "$1" "$3" && cd "$3" && git checkout --quiet "${2:-HEAD}" -- && chmod +x bin/*`
	code, err := r.sb.exec(ctx, command{
		argv: []string{"bash", "-c", clone, "boathook", a.url, a.ref, dir},
		dir:  r.sb.layout().build, env: r.env, stdout: r.req.Out, stderr: r.req.Out,
	})
	if err != nil {
		return err
	}
	if code != 0 {
		return &Failure{Summary: fmt.Sprintf("The buildpack %s cannot be fetched: check the address, the #reference and the SSH key", a.show)}
	}
	return nil
}
