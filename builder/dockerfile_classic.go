package builder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/container"
)

// classic builds with the engine's own builder, which needs nothing but makes an image and a container a step.
func (d *dockerfileBuild) classic(ctx context.Context) (string, error) {
	body, err := d.context(ctx)
	if err != nil {
		return "", err
	}
	defer body.Close() // its errors are those of the request that reads it
	network, leave, err := d.join(ctx, d.req.App)
	if err != nil {
		return "", err
	}
	defer d.leave(ctx, leave)
	opt := d.options(build.BuilderV1)
	opt.NetworkMode = network
	opt.Memory, opt.MemorySwap = d.cfg.Limits.Memory, d.cfg.Limits.Memory
	steps := &classicSteps{out: d.req.Out}
	id, err := d.readClassic(ctx, body, opt, steps)
	if err == nil {
		return id, nil
	}
	return "", errors.Join(d.endedBy(ctx, err), d.removeSteps(ctx, steps))
}

func (d *dockerfileBuild) leave(ctx context.Context, leave func(context.Context) error) {
	clean, stop := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer stop()
	if err := leave(clean); err != nil {
		d.cfg.Log.Error("network of a build not left", "app", d.req.App, "deployment", d.req.Deployment, "err", err)
	}
}

func (d *dockerfileBuild) readClassic(ctx context.Context, body io.Reader, opt build.ImageBuildOptions, steps *classicSteps) (string, error) {
	answer, err := d.cfg.Docker.ImageBuild(ctx, body, opt)
	if errdefs.IsInvalidArgument(err) { // the Dockerfile is read before the first message
		return "", d.explain(&engineError{text: strings.TrimPrefix(err.Error(), "Error response from daemon: ")}, "")
	}
	if err != nil {
		return "", fmt.Errorf("docker build: %w", err)
	}
	defer answer.Body.Close() // only read
	var id imageID
	err = readMessages(answer.Body, func(m engineMessage) {
		id.message(m)
		steps.message(m)
	})
	if err != nil {
		return "", d.explain(err, steps.current)
	}
	return id.result(nil)
}

// classicSteps reads a classic build's output for what it leaves behind when it fails.
type classicSteps struct {
	out        io.Writer
	current    string   // "FROM debian:bookworm"
	cached     bool     // the next image was there before
	images     []string // made by this build, oldest first
	containers []string
}

var (
	classicStep      = regexp.MustCompile(`^Step \d+/\d+ : (.*)`)
	classicContainer = regexp.MustCompile(`^ ---> Running in ([0-9a-f]{12,64})`)
	classicImage     = regexp.MustCompile(`^ ---> ([0-9a-f]{12,64})`)
)

func (c *classicSteps) message(m engineMessage) {
	_, _ = io.WriteString(c.out, m.Stream)
	line := strings.TrimRight(m.Stream, "\n")
	if s := classicStep.FindStringSubmatch(line); s != nil {
		c.current = s[1]
		c.cached = strings.HasPrefix(strings.ToUpper(c.current), "FROM ")
	}
	if strings.HasPrefix(line, " ---> Using cache") {
		c.cached = true
	}
	if s := classicContainer.FindStringSubmatch(line); s != nil {
		c.containers = append(c.containers, s[1])
	}
	if s := classicImage.FindStringSubmatch(line); s != nil && !c.cached {
		c.images = append(c.images, s[1])
	}
}

// removeSteps removes the containers and images of a build that failed, newest first. The engine may be removing
// the same ones.
func (d *dockerfileBuild) removeSteps(ctx context.Context, steps *classicSteps) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer stop()
	var failures []error
	for _, id := range steps.containers {
		err := d.cfg.Docker.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
		if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) {
			failures = append(failures, fmt.Errorf("remove build container: %w", err))
		}
	}
	for i := len(steps.images) - 1; i >= 0; i-- {
		if err := d.removeImage(ctx, steps.images[i]); err != nil && !errdefs.IsConflict(err) {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}
