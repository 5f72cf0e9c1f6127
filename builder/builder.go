// Package builder makes an image from a commit.
//
// It reads the source tree from a git directory, chooses a buildpack or the Dockerfile, runs the build
// where the configured [Host] says, and returns an [Image] that a runner of the same kind can start.
// It knows nothing of apps' formations, of routes or of who pushed.
package builder

import (
	"context"
	"io"
	"time"
)

// Request is one build.
type Request struct {
	App        string            // application name; names the cache
	Deployment string            // id of the deployment; names what the build makes
	Commit     string            // full object id of the commit to build
	GitDir     string            // absolute path of a git directory that holds the commit, often a quarantine
	Env        map[string]string // the app's variables, aliases resolved
	NoCache    bool              // start with an empty cache
	Out        io.Writer         // where the pusher reads along; unindented, one Write may hold several lines
}

// Image is a finished build.
type Image struct {
	Ref string // the runner's Spec.Image: an image id, or a directory of the local host
	// Launcher is put before a process type's command as Spec.Argv; the command is one argument. With an empty
	// launcher (no shell in the image) the command is split into words instead.
	Launcher []string
	// Types maps process types to commands, hooks ("postdeploy", "release") included. An empty command means the
	// image's own entry point.
	Types map[string]string
	Size  int64  // bytes
	Stack string // the value of $STACK, e.g. "scalingo-24"
}

// Builder makes and removes images.
type Builder interface {
	// Build returns the image, or an error. A *Failure is the app's fault and is told to the pusher as it is; any
	// other error is ours, and wraps ErrUnavailable where the engine was away. On an error, and when ctx ends,
	// nothing that the build made is left.
	Build(ctx context.Context, req Request) (Image, error)
	// Remove deletes an image that Build made. A missing one is no error. While the engine is away it wraps ErrUnavailable.
	Remove(ctx context.Context, ref string) error
	// Images lists the Refs of all images that were made here and not removed, also by a process that has died since.
	Images(ctx context.Context) ([]string, error)
	// DeleteCache empties the app's build cache.
	DeleteCache(ctx context.Context, app string) error
}

// Failure is a build that the app's own source, buildpack or limits ended.
type Failure struct {
	Summary string // one sentence, upper case, no period: "Invalid return code from buildpack"
	Err     error  // the cause, may be nil
}

func (f *Failure) Error() string { return f.Summary }
func (f *Failure) Unwrap() error { return f.Err }

// Limits bound every build; the zero value means the defaults of the specification.
type Limits struct {
	Time        time.Duration // whole build, 30 minutes
	ImageSize   int64         // bytes, 2 GiB
	CacheSize   int64         // bytes of an app's cache, 2 GiB: a larger one is emptied before the next build
	SourceSize  int64         // bytes unpacked, 300 MB
	SourceFiles int           // entries in the tree, 200,000: what stops a tree bomb
	Memory      int64         // bytes of the build container, 2 GiB
	PIDs        int64         // 2048
}
