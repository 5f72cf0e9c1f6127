package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
)

// inventory is what a server has made, by kind, each with the app that it belongs to ("" for none).
type inventory map[string][]string

// excess lists what there is beyond one container, one network, one cache and soakReleases images an app.
func (s *soak) excess(ctx context.Context) (left []string, err error) {
	found, err := s.inventory(ctx)
	if err != nil {
		return nil, err
	}
	kept := map[string]int{"container": 1, "process": 1, "network": 1, "volume": 1, "cache": 1, "image": soakReleases, "firewall table": 1}
	for _, kind := range slices.Sorted(maps.Keys(found)) {
		if limit := kept[kind] * len(s.apps); len(found[kind]) > limit {
			left = append(left, fmt.Sprintf("%d of kind %s, at most %d expected: %s", len(found[kind]), kind, limit, strings.Join(found[kind], " ")))
		}
	}
	if running := len(found["container"]) + len(found["process"]); running < len(s.apps) {
		left = append(left, fmt.Sprintf("only %d of %d apps run", running, len(s.apps)))
	}
	return left, nil
}

// remains lists all there is.
func (s *soak) remains(ctx context.Context) (left []string, err error) {
	found, err := s.inventory(ctx)
	for _, kind := range slices.Sorted(maps.Keys(found)) {
		for _, name := range found[kind] {
			left = append(left, kind+" "+name)
		}
	}
	return left, err
}

// inventory finds what the server has made, in its data directory, among the processes, and in the engine if one answers.
func (s *soak) inventory(ctx context.Context) (inventory, error) {
	found := inventory{}
	for kind, pattern := range map[string]string{
		"quarantine": "repositories/*.git/objects/tmp_objdir*", "partial pack": "repositories/*.git/objects/pack/tmp_*",
		"lock": "repositories/*.git/*.lock", "branch lock": "repositories/*.git/refs/heads/*.lock",
		"build": "builder/builds/*", "source": "builder/scratch/*", "cache": "builder/cache/*", "image": "builder/images/*",
	} {
		if err := found.glob(kind, filepath.Join(s.data(), pattern)); err != nil {
			return nil, err
		}
	}
	if err := found.processes(s.data()); err != nil {
		return nil, err
	}
	namespace := filepath.Base(s.dir)
	if err := found.firewall(namespace); err != nil {
		return nil, err
	}
	return found, found.engine(ctx, namespace)
}

func (i inventory) glob(kind, pattern string) error {
	names, err := filepath.Glob(pattern)
	for _, name := range names {
		i[kind] = append(i[kind], filepath.Base(name))
	}
	return err
}

// processes finds those that work in the data directory: apps of the local engine, builds.
func (i inventory) processes(data string) error {
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		if cwd, err := os.Readlink(link); err == nil && strings.HasPrefix(cwd, data) { // one that has just ended is no concern
			i["process"] = append(i["process"], cwd)
		}
	}
	return err
}

// engine finds what has the namespace's label.
func (i inventory) engine(ctx context.Context, namespace string) error {
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return err
	}
	defer api.Close()
	if _, err := api.Ping(ctx); err != nil {
		return nil
	}
	ours := filters.NewArgs(filters.Arg("label", "boathook.namespace="+namespace))
	containers, err := api.ContainerList(ctx, container.ListOptions{All: true, Filters: ours})
	if err != nil {
		return err
	}
	for _, c := range containers {
		i["container"] = append(i["container"], strings.Join(c.Names, ",")+" "+c.State)
	}
	networks, err := api.NetworkList(ctx, network.ListOptions{Filters: ours})
	if err != nil {
		return err
	}
	for _, n := range networks {
		i["network"] = append(i["network"], n.Name)
	}
	images, err := api.ImageList(ctx, image.ListOptions{All: true, Filters: ours})
	if err != nil {
		return err
	}
	for _, m := range images {
		i["image"] = append(i["image"], m.ID)
	}
	volumes, err := api.VolumeList(ctx, volume.ListOptions{Filters: ours})
	if err != nil {
		return err
	}
	for _, v := range volumes.Volumes {
		i["volume"] = append(i["volume"], v.Name)
	}
	return nil
}
