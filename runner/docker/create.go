package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/go-units"

	"boathook/runner"
)

// Limits of a container whose Spec names none: size M.
const (
	defaultMemory = 512 << 20
	defaultPIDs   = 256
	defaultCPU    = 1024
)

// appUser runs whatever does not say otherwise; stack images know it by a name and own /app with it.
const appUser = "1000:1000"

// maxHostname is what sethostname(2) takes.
const maxHostname = 64

// checkSpec refuses what could not be told apart later.
func checkSpec(spec runner.Spec) error {
	for _, name := range []string{spec.App, spec.Release, spec.Type} {
		if !word.MatchString(name) {
			return fmt.Errorf("group %s: %q is not made of letters, digits, hyphens and underscores", spec.Group, name)
		}
	}
	if spec.Replicas < 0 || spec.First < 0 {
		return fmt.Errorf("group %s: %d replicas from number %d", spec.Group, spec.Replicas, spec.First)
	}
	if spec.Image == "" {
		return fmt.Errorf("group %s: no image", spec.Group)
	}
	return nil
}

// blueprint is what the containers of one Start or Run have in common.
type blueprint struct {
	spec    runner.Spec
	user    string
	network string
	call    string
	once    bool
	io      runner.IO        // of once
	guest   net.HardwareAddr // of what has a reservation; nil: the engine's choice
}

// create makes the container with the given number and returns its id. A context that ends meanwhile does not
// interrupt the request, or nobody would know whether the container was made.
func (e *Engine) create(ctx context.Context, b blueprint, number int) (string, error) {
	p := part{Group: b.spec.Group, number: number, once: b.once}
	if b.spec.Port {
		p.port = strconv.Itoa(e.cfg.Port)
	}
	name := containerName(e.cfg.Namespace, p)
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("create %s: %w", name, err)
	}
	requestCtx, cancel := detached(ctx)
	defer cancel()
	host := e.hostConfig(b.spec.Limits)
	host.NetworkMode = container.NetworkMode(b.network) // to which engines before 25.0 give the hardware address
	if t := b.io.Terminal; t != nil {
		host.ConsoleSize = [2]uint{uint(t.Size.Rows), uint(t.Size.Columns)} // engines before 23.0 take no notice: see resize
	}
	if b.once {
		host.LogConfig = container.LogConfig{Type: "none"} // all of it is taken as it comes
	}
	made, err := e.client.ContainerCreate(requestCtx, e.config(b, p), host, e.endpoint(b), nil, name)
	if err != nil {
		return "", wrap(requestCtx, "create "+name, err)
	}
	for _, warning := range made.Warnings {
		e.log.Warn("engine warns", "container", name, "warning", warning)
	}
	return made.ID, nil
}

func (e *Engine) config(b blueprint, p part) *container.Config {
	c := &container.Config{
		Hostname:    p.hostname()[:min(len(p.hostname()), maxHostname)],
		User:        b.user,
		Image:       b.spec.Image,
		Env:         environment(b.spec.Env, p),
		Labels:      p.labels(e.cfg.Namespace, b.call),
		StopSignal:  e.cfg.StopSignal,
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}}, // readiness is the caller's business
		Tty:         b.io.Terminal != nil,
		OpenStdin:   b.io.In != nil,
		StdinOnce:   b.io.In != nil,
	}
	if b.guest != nil && versions.LessThan(e.client.ClientVersion(), perNetwork) {
		//lint:ignore SA1019 these versions know no other place
		c.MacAddress = b.guest.String()
	}
	if len(b.spec.Argv) > 0 {
		c.Entrypoint = b.spec.Argv[:1]
		c.Cmd = b.spec.Argv[1:]
	}
	return c
}

// environment is the caller's, and over it what the contract and the init process need, sorted.
func environment(shared map[string]string, p part) []string {
	env := maps.Clone(shared)
	if env == nil {
		env = map[string]string{}
	}
	env["CONTAINER"] = fmt.Sprintf("%s-%d", p.Type, p.number)
	env["HOSTNAME"] = p.hostname()
	if p.port != "" {
		env["PORT"] = p.port
	}
	// The init process passes signals to the whole process group, so that a shell which did not exec its
	// command does not swallow SIGTERM.
	env["TINI_KILL_PROCESS_GROUP"] = "1"
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// hostConfig fences the container in. No capability is left: a process that is never root and cannot become
// root by a set-user-id file has no use for any, and ports below 1024 are open to all in a container's own
// network namespace (net.ipv4.ip_unprivileged_port_start=0 since engine 20.10).
func (e *Engine) hostConfig(limits runner.Limits) *container.HostConfig {
	memory, pids, cpu := limits.Memory, limits.PIDs, limits.CPU
	if memory == 0 {
		memory = defaultMemory
	}
	if pids == 0 {
		pids = defaultPIDs
	}
	if cpu == 0 {
		cpu = defaultCPU
	}
	withInit := true
	return &container.HostConfig{
		Init:          &withInit,
		CapDrop:       []string{"ALL"},
		SecurityOpt:   []string{"no-new-privileges:true"},
		IpcMode:       container.IPCModePrivate, // whatever the engine's default is
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
		LogConfig: container.LogConfig{Type: "json-file", Config: map[string]string{
			"max-size": e.cfg.LogMaxSize,
			"max-file": strconv.Itoa(e.cfg.LogMaxFiles),
		}},
		ExtraHosts: e.cfg.ExtraHosts,
		DNS:        e.cfg.DNS,
		Resources: container.Resources{
			Memory:     memory,
			MemorySwap: memory, // memory and swap together: no swap
			PidsLimit:  &pids,
			CPUShares:  cpu,
			Ulimits: []*units.Ulimit{
				{Name: "nofile", Soft: e.cfg.OpenFiles, Hard: e.cfg.OpenFiles},
				{Name: "core"}, // a crash would fill the disk with memory
			},
		},
	}
}

// perNetwork is the version of the API from which on the hardware address of a container is one of each of its networks.
const perNetwork = "1.44"

func (e *Engine) endpoint(b blueprint) *network.NetworkingConfig {
	settings := &network.EndpointSettings{}
	if b.guest != nil && versions.GreaterThanOrEqualTo(e.client.ClientVersion(), perNetwork) {
		settings.MacAddress = b.guest.String()
	}
	return &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{b.network: settings}}
}

// user returns who runs the image: the user that it names itself unless that is root. A name is believed; an
// image that calls its root otherwise gets a root without a capability.
func (e *Engine) user(ctx context.Context, image string) (string, error) {
	found, err := e.client.ImageInspect(ctx, image)
	if err != nil {
		return "", wrap(ctx, "image "+image, err)
	}
	if found.Config == nil {
		return appUser, nil
	}
	return unprivileged(found.Config.User), nil
}

func unprivileged(user string) string {
	name, _, _ := strings.Cut(user, ":")
	if uid, err := strconv.Atoi(name); name == "" || name == "root" || err == nil && uid <= 0 || errors.Is(err, strconv.ErrRange) {
		return appUser
	}
	return user
}
