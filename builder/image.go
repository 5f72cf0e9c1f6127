package builder

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// imageLabels mark an image as one that a deployment made. As they are part of its configuration, no two deployments
// have the same image id, and removing one never takes another's.
func (b *Build) imageLabels(req Request) map[string]string {
	return map[string]string{
		labelNamespace: b.cfg.Namespace, labelApp: req.App, labelDeployment: req.Deployment, labelRole: "image",
	}
}

// imageTag names an image, so that docker image prune, which takes what has no name, leaves it alone.
func (b *Build) imageTag(req Request) string {
	return strings.ToLower(b.cfg.Namespace+"/"+req.App) + ":" + req.Deployment
}

// dockerImages implements Images on the engine.
func (b *Build) dockerImages(ctx context.Context) (refs []string, err error) {
	list, err := b.cfg.Docker.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(
		filters.Arg("label", labelNamespace+"="+b.cfg.Namespace), filters.Arg("label", labelRole+"=image"))})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	for _, i := range list {
		refs = append(refs, i.ID)
	}
	return refs, nil
}

// removeImage implements Remove on the engine.
func (b *Build) removeImage(ctx context.Context, ref string) error {
	return removeImage(ctx, b.cfg.Docker, ref)
}

// removeImage deletes an image with its names and the untagged layers below it. A missing one is no error, nor is one that somebody else
// removes at the same time: of two removals the engine lets one fail with an internal error.
func removeImage(ctx context.Context, api *client.Client, ref string) error {
	_, err := api.ImageRemove(ctx, ref, image.RemoveOptions{Force: true, PruneChildren: true})
	if err == nil || errdefs.IsNotFound(err) {
		return nil
	}
	if _, gone := api.ImageInspect(ctx, ref); errdefs.IsNotFound(gone) {
		return nil
	}
	return fmt.Errorf("remove image %s: %w", ref, err)
}
