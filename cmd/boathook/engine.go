package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/docker/docker/client"

	"boathook/builder"
	"boathook/runner/docker"
	"boathook/runner/local"
)

// openEngine opens the configured engine and the builder that makes its images.
func (s *server) openEngine(ctx context.Context) error {
	cfg := s.cfg
	if cfg.namespace == "" {
		own, err := ownNamespace(cfg.data)
		if err != nil {
			return err
		}
		cfg.namespace = own
	}
	buildpacks, err := cfg.buildpackList()
	if err != nil {
		return err
	}
	rewrite, err := cfg.rewrite.pairs("buildpack-rewrite")
	if err != nil {
		return err
	}
	build := builder.Config{
		Dir: filepath.Join(cfg.data, "builder"), Namespace: cfg.namespace, StackName: cfg.stack, Buildpacks: buildpacks,
		Rewrite: map[string]string{}, Network: cfg.network, Proxy: cfg.proxy, CAFile: cfg.caFile, Limits: cfg.build, Log: s.log,
	}
	for _, r := range rewrite {
		build.Rewrite[r[0]] = r[1]
	}
	api, err := dockerClient(ctx, cfg.engine)
	if err != nil {
		return err
	}
	if api == nil {
		return s.openLocal(ctx, build)
	}
	s.onClose(api.Close)
	info, err := api.Info(ctx)
	if err != nil {
		return fmt.Errorf("docker engine: %w", err)
	}
	s.disks = append(s.disks, info.DockerRootDir)
	build.Docker = api
	var engine *docker.Engine // made after what builds have left is gone, as it drops networks that nothing uses
	build.Join = func(ctx context.Context, app string) (string, func(context.Context) error, error) {
		return engine.Join(ctx, app)
	}
	build.Stack = func(ctx context.Context, out io.Writer) (string, error) { return cfg.ensureStack(ctx, api, out) }
	if err := s.openBuilder(ctx, build); err != nil {
		return err
	}
	engine, err = docker.New(ctx, docker.Config{Client: api, Namespace: cfg.namespace, Log: s.log, Reach: cfg.reach, FenceBridges: cfg.fence})
	if err != nil {
		return fmt.Errorf("docker engine: %w", err)
	}
	s.engine = engine
	s.onClose(s.engine.Close)
	return nil
}

// openBuilder makes the builder and removes what builds of an earlier boathook left.
func (s *server) openBuilder(ctx context.Context, cfg builder.Config) error {
	b, err := builder.New(cfg)
	if err != nil {
		return fmt.Errorf("builder: %w", err)
	}
	s.builder = b
	return b.Sweep(ctx)
}

func (s *server) openLocal(ctx context.Context, build builder.Config) (err error) {
	s.log.Warn("the local engine isolates nothing: apps are plain processes of this machine")
	if err := s.openBuilder(ctx, build); err != nil {
		return err
	}
	s.engine, err = local.New(local.Config{Dir: filepath.Join(s.cfg.data, "local"), Log: s.log})
	if err != nil {
		return fmt.Errorf("local engine: %w", err)
	}
	s.onClose(s.engine.Close)
	return nil
}

// dockerClient is a client of the engine that the environment names (DOCKER_HOST and so on), or nil where the local
// engine is to be used.
func dockerClient(ctx context.Context, engine string) (*client.Client, error) {
	if engine == "local" {
		return nil, nil
	}
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("docker client: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := api.Ping(ctx); err != nil {
		closed := api.Close()
		if engine == "auto" && closed == nil {
			return nil, nil
		}
		return nil, fmt.Errorf("no Docker engine answers (%w): start it, or use -engine local", err)
	}
	return api, nil
}

// buildpackList is what detection tries.
func (c *config) buildpackList() ([]builder.Buildpack, error) {
	if len(c.buildpacks) == 0 {
		return builder.DefaultBuildpacks(), nil
	}
	if len(c.buildpacks) == 1 && c.buildpacks[0] == "none" {
		return nil, nil
	}
	pairs, err := c.buildpacks.pairs("buildpack")
	var packs []builder.Buildpack
	for _, p := range pairs {
		packs = append(packs, builder.Buildpack{Name: p[0], URL: p[1]})
	}
	return packs, err
}

// ensureStack makes sure of the base image of buildpack builds and returns its name.
func (c *config) ensureStack(ctx context.Context, api *client.Client, out io.Writer) (string, error) {
	stacks := &builder.Stacks{Docker: api, Images: c.stackImage, Mirror: c.mirror} // shared by all namespaces
	if len(c.stackImage) == 1 && c.stackImage[0] == "tiny" {
		return stacks.EnsureTiny(ctx, out)
	}
	return stacks.Ensure(ctx, out)
}

// stack is `boathook stack`: the base image, made sure of before the first push needs it.
func stack(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cfg, err := parseConfig(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "boathook:", err)
		return 2
	}
	api, err := dockerClient(ctx, "docker")
	if err != nil {
		fmt.Fprintln(stderr, "boathook:", err)
		return 1
	}
	defer api.Close()
	image, err := cfg.ensureStack(ctx, api, stdout)
	if err != nil {
		fmt.Fprintln(stderr, "boathook:", err)
		return 1
	}
	fmt.Fprintln(stdout, image)
	return 0
}
