package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/client"
)

// errNoBuildKit means that the engine does not build with BuildKit.
var errNoBuildKit = errors.New("the engine does not offer BuildKit")

// buildKitNetwork tells whether BuildKit can build in a network; it has no way to join one of the engine's own.
func buildKitNetwork(name string) bool {
	return name == "" || name == "default" || name == "none" || name == "host"
}

// buildKit builds with BuildKit. The source is the body of the request; there is no session.
func (d *dockerfileBuild) buildKit(ctx context.Context) (string, error) {
	body, err := d.context(ctx)
	if err != nil {
		return "", err
	}
	defer body.Close() // its errors are those of the request that reads it
	opt := d.options(build.BuilderBuildKit)
	opt.BuildID = d.cfg.Namespace + "-" + d.req.Deployment

	// The request outlives ctx for a moment: a cancelled build is over when the engine has said so, not before.
	asking, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	cancel := cancelBuild(ctx, d.cfg.Docker, opt.BuildID, hangUp)
	defer cancel.release()

	answer, err := d.cfg.Docker.ImageBuild(asking, body, opt)
	if err != nil {
		if ctx.Err() == nil && strings.Contains(strings.ToLower(err.Error()), "buildkit") {
			return "", fmt.Errorf("%w: %w", errNoBuildKit, err)
		}
		return "", d.endedBy(ctx, fmt.Errorf("docker build: %w", err))
	}
	defer answer.Body.Close() // only read
	progress := newTrace(d.req.Out)
	var id imageID
	var traceErr error
	err = readMessages(answer.Body, func(m engineMessage) {
		switch m.ID {
		case "moby.buildkit.trace":
			traceErr = errors.Join(traceErr, progress.message(m.Aux))
		default:
			id.message(m)
		}
	})
	progress.end()
	if err != nil {
		return "", d.endedBy(ctx, d.explain(err, progress.failed))
	}
	if traceErr != nil {
		d.cfg.Log.Warn("progress of buildkit not understood", "deployment", d.req.Deployment, "err", traceErr)
	}
	return id.result(d.endedBy(ctx, nil))
}

// endedBy replaces what a cancelled build fails with by the reason of the cancellation.
func (d *dockerfileBuild) endedBy(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("docker build: %w", context.Cause(ctx))
	}
	return err
}

// imageID picks the image's id out of the messages of a build.
type imageID struct{ id string }

func (i *imageID) message(m engineMessage) {
	var aux struct{ ID string }
	if len(m.Aux) > 0 && json.Unmarshal(m.Aux, &aux) == nil && aux.ID != "" {
		i.id = aux.ID
	}
}

func (i *imageID) result(err error) (string, error) {
	if err == nil && i.id == "" {
		err = errors.New("docker build: the engine ended without an image and without an error")
	}
	return i.id, err
}

// cancellation is the watch over a build's context. It is released when the build's request has ended.
type cancellation struct {
	stop  func() bool
	ended chan struct{} // closed by release
	done  chan struct{} // closed when the engine was told
}

// cancelBuild tells the engine to cancel the build when ctx ends, and hangs up on it if it does not obey.
func cancelBuild(ctx context.Context, api *client.Client, buildID string, hangUp func()) *cancellation {
	c := &cancellation{ended: make(chan struct{}), done: make(chan struct{})}
	c.stop = context.AfterFunc(ctx, func() {
		defer close(c.done)
		telling, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
		defer stop()
		if err := api.BuildCancel(telling, buildID); err != nil {
			hangUp()
			return
		}
		patience := time.NewTimer(cancelTime)
		defer patience.Stop()
		select {
		case <-c.ended:
		case <-patience.C:
			hangUp()
		}
	})
	return c
}

func (c *cancellation) release() {
	close(c.ended)
	if !c.stop() {
		<-c.done
	}
}
