// Package docker runs containers on a Docker engine, or on anything that speaks its API from 1.41 on.
//
// State lives in the engine alone, as labels: an [Engine] value can be thrown away and made again at any
// time. Several boathooks share one engine when their Config.Namespace differ; none of them lists, stops or
// removes what another one made.
//
// A container gets a bridge network of its app, behind a fence of firewall rules that keeps it from other apps'
// containers and from the machine, no capability, no new privileges, a user that is not root, and limits on
// memory, processes, open files and log size.
package docker

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"strings"
	"sync"

	"github.com/docker/docker/client"

	"boathook/runner"
)

// Config is what an Engine is made of. The zero value runs on the engine that the environment names
// (DOCKER_HOST and so on) in the namespace "boathook".
type Config struct {
	Client    *client.Client // nil: made from the environment and closed by Engine.Close
	Namespace string         // label of everything made here; default "boathook"
	Log       *slog.Logger   // default slog.DiscardHandler

	Port        int    // $PORT inside containers; default 5000
	StopSignal  string // what Remove sends first; default SIGTERM
	LogMaxSize  string // bytes of one log file with the engine's suffixes; default "10m"
	LogMaxFiles int    // log files per container, default 2
	OpenFiles   int64  // open files per process, default 16384

	ExtraHosts []string // "name:address" lines for /etc/hosts of every container
	DNS        []string // resolvers; default the engine's

	// Reach are addresses of this machine to which containers may open connections, such as that of a database:
	// they reach none else. FenceBridges are bridges whose containers are kept from this machine like those of the
	// apps: "docker0", in which BuildKit builds, where nothing else runs in it.
	Reach        []netip.AddrPort
	FenceBridges []string

	// Pool is cut into networks of SubnetBits, one an app. The engine's own pools make about thirty
	// networks only. Defaults 10.196.0.0/14 and 26: 4096 apps of at most 61 containers.
	Pool       netip.Prefix
	SubnetBits int
}

// Engine is the runner.Engine of one namespace of a Docker engine.
type Engine struct {
	cfg      Config
	client   *client.Client
	owned    bool // the client was made by New
	log      *slog.Logger
	networks *networks

	alive context.Context // ends with Close; bounds the watchers
	stop  context.CancelFunc

	mu       sync.Mutex // guards closed, and watchers.Add against Close
	closed   bool
	watchers sync.WaitGroup
}

var _ runner.Engine = (*Engine)(nil)

// New asks the engine what it is and returns an Engine of it. The error wraps [runner.ErrUnavailable] if it
// does not answer.
func New(ctx context.Context, cfg Config) (*Engine, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, client: cfg.Client, log: cfg.Log}
	if e.client == nil {
		c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
		if err != nil {
			return nil, fmt.Errorf("docker client from the environment: %w", err)
		}
		e.client, e.owned = c, true
	}
	if err := e.greet(ctx); err != nil {
		return nil, cmp.Or(err, e.closeClient())
	}
	e.networks = newNetworks(e)
	if err := e.networks.open(ctx); err != nil {
		return nil, cmp.Or(err, e.closeClient())
	}
	e.alive, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	return e, nil
}

func (c Config) withDefaults() Config {
	c.Namespace = cmp.Or(c.Namespace, "boathook")
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	c.Port = cmp.Or(c.Port, 5000)
	c.StopSignal = cmp.Or(c.StopSignal, "SIGTERM")
	c.LogMaxSize = cmp.Or(c.LogMaxSize, "10m")
	c.LogMaxFiles = cmp.Or(c.LogMaxFiles, 2)
	c.OpenFiles = cmp.Or(c.OpenFiles, 16384)
	c.Pool = cmp.Or(c.Pool, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 196, 0, 0}), 14))
	c.SubnetBits = cmp.Or(c.SubnetBits, 26)
	return c
}

func (c Config) check() error {
	if !word.MatchString(c.Namespace) {
		return fmt.Errorf("docker namespace %q: only letters, digits, hyphens and underscores", c.Namespace)
	}
	// A bridge takes two addresses for the network and its broadcast and one for the gateway.
	if !c.Pool.Addr().Is4() || c.Pool != c.Pool.Masked() || c.SubnetBits < c.Pool.Bits() || c.SubnetBits > 29 {
		return fmt.Errorf("docker network pool %s cannot be cut into /%d networks", c.Pool, c.SubnetBits)
	}
	for _, name := range c.FenceBridges {
		if name == "" || len(name) > 15 {
			return fmt.Errorf("docker bridge %q: the name of a network interface has 1 to 15 characters", name)
		}
	}
	return nil
}

// word is what names of namespaces, apps, releases and process types are made of. It has no dot, which joins
// them in the names of containers.
var word = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)

// greet finds out whether the engine answers and what it cannot enforce.
func (e *Engine) greet(ctx context.Context) error {
	info, err := e.client.Info(ctx)
	if err != nil {
		return wrap(ctx, "ask the docker engine", err)
	}
	if info.OSType != "linux" {
		return fmt.Errorf("the docker engine runs %s containers, not linux", info.OSType)
	}
	if !info.MemoryLimit {
		e.log.Warn("engine cannot limit memory", "engine", info.Name)
	}
	if !info.PidsLimit {
		e.log.Warn("engine cannot limit processes", "engine", info.Name)
	}
	if filters := strings.Join(info.SecurityOptions, " "); !strings.Contains(filters, "name=seccomp") || strings.Contains(filters, "profile=unconfined") {
		e.log.Warn("engine does not filter system calls", "engine", info.Name, "options", filters)
	}
	return nil
}

// Name returns "docker".
func (e *Engine) Name() string { return "docker" }

// Close ends all watches, waits for them, and closes the connection if New made it.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.stop()
	e.watchers.Wait()
	return e.closeClient()
}

func (e *Engine) closeClient() error {
	if !e.owned {
		return nil
	}
	if err := e.client.Close(); err != nil {
		return fmt.Errorf("close the docker client: %w", err)
	}
	return nil
}
