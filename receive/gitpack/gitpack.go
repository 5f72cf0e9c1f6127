// Package gitpack speaks git's wire protocol, version 0, for a push and a clone.
//
// It knows nothing of SSH: a session is a reader, a writer and an error stream. A push is received into a quarantine,
// checked there, and handed to a [Handler]; its objects and its ref reach the repository only by [Push.Publish]. The
// protocol is that of gitprotocol-pack(5) and gitprotocol-capabilities(5).
package gitpack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// Config is what Open needs.
type Config struct {
	Dir     string // holds NAME.git, one bare repository per app; made if missing
	Limits  Limits
	Log     *slog.Logger
	Version string // told to clients as agent=boathook/VERSION
}

// Limits bound what one client can cost. A zero field means its default.
type Limits struct {
	InputSize      int64         // bytes of a pack as sent, 1 GiB
	RepositorySize int64         // bytes of a repository's objects, 4 GiB
	Alloc          string        // GIT_ALLOC_LIMIT: one allocation of a git process, "256m"
	Memory         int64         // bytes of all that a git process allocates, 1 GiB
	BigFile        string        // core.bigFileThreshold: larger blobs are streamed, "16m"
	Time           time.Duration // receiving one push, and then checking it, 30 minutes each
	CPU            time.Duration // processor time of one git process, 5 minutes
	Idle           time.Duration // silence in the middle of an upload, 2 minutes
	Keepalive      time.Duration // between two signs of life to the client, 5 seconds
	Stall          time.Duration // a client that does not take a packet for so long is gone, 2 minutes
	Commands       int           // ref updates of one push, 1000
	Options        int           // push options of one push, 100
	Line           int           // bytes of a command or of an option, 4096
	ConcurrentPack int           // index-pack processes at once, 4
	Packs          int           // packs in a repository before it is repacked, 50
}

func (l Limits) withDefaults() Limits {
	return Limits{
		InputSize:      cmp.Or(l.InputSize, 1<<30),
		RepositorySize: cmp.Or(l.RepositorySize, 4<<30),
		Alloc:          cmp.Or(l.Alloc, "256m"),
		Memory:         cmp.Or(l.Memory, 1<<30),
		BigFile:        cmp.Or(l.BigFile, "16m"),
		Time:           cmp.Or(l.Time, 30*time.Minute),
		CPU:            cmp.Or(l.CPU, 5*time.Minute),
		Idle:           cmp.Or(l.Idle, 2*time.Minute),
		Keepalive:      cmp.Or(l.Keepalive, 5*time.Second),
		Stall:          cmp.Or(l.Stall, 2*time.Minute),
		Commands:       cmp.Or(l.Commands, 1000),
		Options:        cmp.Or(l.Options, 100),
		Line:           cmp.Or(l.Line, 4096),
		ConcurrentPack: cmp.Or(l.ConcurrentPack, 4),
		Packs:          cmp.Or(l.Packs, 50),
	}
}

// Repos is a directory of bare repositories. Its methods are safe for concurrent use by one process.
type Repos struct {
	dir     string
	limits  Limits
	log     *slog.Logger
	version string
	git     string        // absolute path of the git program
	packing chan struct{} // one token per running index-pack

	mu   sync.Mutex // guards apps
	apps map[string]*repository
}

// ErrName is returned for an app name that cannot be a directory's.
var ErrName = errors.New("not an app name")

// Open finds git and makes the directory.
func Open(cfg Config) (*Repos, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("repositories: %w", err)
	}
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, fmt.Errorf("repositories: git is needed on this machine: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("repositories: %w", err)
	}
	limits := cfg.Limits.withDefaults()
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Repos{
		dir: dir, limits: limits, log: log, version: cmp.Or(cfg.Version, "0"), git: git,
		packing: make(chan struct{}, limits.ConcurrentPack),
		apps:    map[string]*repository{},
	}, nil
}

// Handler decides what a received push leads to.
type Handler interface {
	// Deploy is called with a push that has been received and checked. Nil accepts it, and publishes it if
	// Push.Publish was not called. The Reason() string of an error, if it has one, becomes git's: "remote rejected
	// … (REASON)". Ctx ends when the client has gone; Deploy may go on, and the push stays valid until it returns.
	Deploy(ctx context.Context, push *Push) error
}
