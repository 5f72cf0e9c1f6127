package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// stackLabel marks the stack images made here; its value is "NAMESPACE/KIND". They do not have the label
// boathook.namespace, because what carries that belongs to an app and may be collected.
const stackLabel = "boathook.stack"

// defaultMirror is where Debian's packages come from.
const defaultMirror = "http://deb.debian.org/debian"

// Stacks makes sure of stack images: what buildpack builds and their apps run in. Each has bash, tar and the usual
// tools, a user with id 1000 and home /app, and the directories /app, /build and /cache that are theirs.
// Docker is required. Its methods are safe for concurrent use; they make one image at a time.
type Stacks struct {
	Docker    *client.Client
	Images    []string // acceptable ready-made images, best first; nil means scalingo-24, then heroku:24-build
	Mirror    string   // of Debian, for images made here; default http://deb.debian.org/debian
	Namespace string   // names and labels what is made here; default "boathook"
	Log       *slog.Logger

	packages []string // of images made here; nil means debianPackages
	base     string   // image that buildDebian starts from; "" means debianBase

	once sync.Once
	turn chan struct{} // holds one token while an image is being made
}

// stackStep is one way to an image. It returns "" and no error if it does not apply here.
type stackStep struct {
	try string // what is told before it, "" tells nothing
	run func(ctx context.Context, out io.Writer) (image string, err error)
}

// Ensure returns a stack image for real apps, by the first of these that works: one that is there already, pulling
// one of Images, building one from Debian's image, bootstrapping one from a Debian mirror. It tells out what it does,
// and why each former way did not work.
func (s *Stacks) Ensure(ctx context.Context, out io.Writer) (string, error) {
	steps := []stackStep{{run: s.present}}
	for _, ref := range s.images() {
		steps = append(steps, stackStep{
			try: "Pulling the stack image " + ref,
			run: func(ctx context.Context, out io.Writer) (string, error) { return ref, s.pull(ctx, ref, out) },
		})
	}
	steps = append(steps,
		stackStep{try: "Building a stack image from " + s.from(), run: s.buildDebian},
		stackStep{try: "Bootstrapping a stack image from " + s.mirror(), run: s.bootstrapDebian})
	image, err := s.first(ctx, out, steps)
	if err != nil {
		return "", fmt.Errorf("no stack image can be had (%w): give this machine a way to a registry or to a Debian mirror, "+
			"or load an image with docker load and name it in the setting for the stack image", err)
	}
	return image, nil
}

// first runs steps in order until one yields an image. The error has what all of them said.
func (s *Stacks) first(ctx context.Context, out io.Writer, steps []stackStep) (string, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	var failures []string
	for _, step := range steps {
		if step.try != "" {
			say(out, "-----> %s", step.try)
		}
		image, err := step.run(ctx, out)
		if ctx.Err() != nil {
			return "", fmt.Errorf("stack: %w", context.Cause(ctx))
		}
		if err == nil && image != "" {
			if step.try != "" {
				s.log().Info("stack image made", "image", image)
			}
			return image, nil
		}
		if err != nil {
			say(out, "       That did not work: %s", err)
			failures = append(failures, err.Error())
		}
	}
	return "", errors.New(strings.Join(failures, "; "))
}

// enter waits for its turn.
func (s *Stacks) enter(ctx context.Context) (leave func(), err error) {
	s.once.Do(func() { s.turn = make(chan struct{}, 1) })
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("stack: %w", context.Cause(ctx))
	}
}

// present finds an acceptable image, or one that was made here before.
func (s *Stacks) present(ctx context.Context, _ io.Writer) (string, error) {
	for _, ref := range s.images() {
		_, err := s.Docker.ImageInspect(ctx, ref)
		if err == nil {
			return ref, nil
		}
		if !errdefs.IsNotFound(err) {
			return "", fmt.Errorf("inspect %s: %w", ref, err)
		}
	}
	return s.made(ctx, "debian:"+debianRecipe)
}

// made finds the newest image of a kind that was made here. Two servers that made one at the same time have left one without a name, which
// an engine before API 1.43 lists as <none>:<none>.
func (s *Stacks) made(ctx context.Context, kind string) (string, error) {
	list, err := s.Docker.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("label", stackLabel+"="+s.namespace()+"/"+kind))})
	if err != nil {
		return "", fmt.Errorf("list stack images: %w", err)
	}
	var newest image.Summary
	for _, i := range list {
		if len(i.RepoTags) > 0 && i.RepoTags[0] != "<none>:<none>" && (newest.ID == "" || i.Created > newest.Created) {
			newest = i
		}
	}
	if newest.ID == "" {
		return "", nil
	}
	return newest.RepoTags[0], nil
}

func (s *Stacks) images() []string {
	if len(s.Images) > 0 {
		return s.Images
	}
	return []string{"scalingo/scalingo-24", "heroku/heroku:24-build"}
}

func (s *Stacks) included() []string {
	if s.packages != nil {
		return s.packages
	}
	return debianPackages
}

func (s *Stacks) from() string      { return cmp.Or(s.base, debianBase) }
func (s *Stacks) mirror() string    { return cmp.Or(s.Mirror, defaultMirror) }
func (s *Stacks) log() *slog.Logger { return cmp.Or(s.Log, slog.New(slog.DiscardHandler)) }
func (s *Stacks) namespace() string { return cmp.Or(s.Namespace, "boathook") }

// stackConfig is the configuration of the images made here, as Dockerfile instructions.
func (s *Stacks) stackConfig(kind string) []string {
	return []string{
		"ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"ENV HOME=/app LANG=C.UTF-8",
		"WORKDIR /app",
		`CMD ["/bin/bash"]`,
		"LABEL " + stackLabel + "=" + s.namespace() + "/" + kind,
	}
}
