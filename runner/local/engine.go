package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"boathook/runner"
)

// Config says where an engine keeps its state and how it paces itself. Zero values mean the defaults.
type Config struct {
	Dir string       // state directory, made if missing; nobody else may write in it
	Log *slog.Logger // nil discards

	OutputSize int64         // bytes of output kept per instance, 8 MiB
	Backoff    time.Duration // before the first restart, doubled with each one up to MaxBackoff; 100 ms
	MaxBackoff time.Duration // 1 minute
	Settled    time.Duration // a run of this length resets the backoff; 10 s
}

func (c *Config) setDefaults() {
	c.OutputSize = cmp.Or(c.OutputSize, 8<<20)
	c.Backoff = cmp.Or(c.Backoff, 100*time.Millisecond)
	c.MaxBackoff = cmp.Or(c.MaxBackoff, time.Minute)
	c.Settled = cmp.Or(c.Settled, 10*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// Engine runs instances as processes of this host. See the package comment for what that means.
type Engine struct {
	cfg  Config
	lock *dirLock // flock of Dir/lock

	// ctx ends with Close; everything that this engine runs in the background stops then.
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu        sync.Mutex // guards what follows and the fields of instances that say so
	closed    bool
	instances map[string]*instance
	ports     map[int]bool  // taken by an instance that exists
	changed   chan struct{} // closed and replaced at every change of a snapshot
}

var _ runner.Engine = (*Engine)(nil)

// errClosed is the answer of a closed engine.
var errClosed = fmt.Errorf("the local engine was closed: %w", runner.ErrUnavailable)

// New opens the engine of cfg.Dir, adopts the instances that still run there, and reads the others
// as exited. It is an error if another boathook uses the directory.
func New(cfg Config) (*Engine, error) {
	cfg.setDefaults()
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("local engine: %w", err)
	}
	cfg.Dir = dir
	if err := os.MkdirAll(filepath.Join(dir, "instances"), 0o700); err != nil {
		return nil, fmt.Errorf("local engine: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		cfg:       cfg,
		lock:      lock,
		instances: map[string]*instance{},
		ports:     map[int]bool{},
		changed:   make(chan struct{}),
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	hearken()
	if err := e.adopt(); err != nil {
		return nil, errors.Join(fmt.Errorf("local engine: %w", err), e.Close())
	}
	e.wg.Go(e.trimOutputs)
	return e, nil
}

// Name is "local".
func (e *Engine) Name() string { return "local" }

// Close stops watching, restarting and following, and waits for all that. Processes go on running.
// The one thing left is a goroutine per child process, which does nothing but reap it.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	e.mu.Unlock()
	e.cancel()
	e.wg.Wait()
	return e.lock.Close()
}

// begin counts the caller as work that Close waits for; end must follow unless it returns an error.
func (e *Engine) begin(ctx context.Context) (end func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("local engine: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errClosed
	}
	e.wg.Add(1)
	return e.wg.Done, nil
}

// List is described by [runner.Engine].
func (e *Engine) List(ctx context.Context, sel runner.Selector) ([]runner.Instance, error) {
	end, err := e.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	list, _ := e.snapshot(sel)
	return list, nil
}

// Groups is described by [runner.Engine].
func (e *Engine) Groups(ctx context.Context) ([]runner.Group, error) {
	list, err := e.List(ctx, runner.Selector{})
	if err != nil {
		return nil, err
	}
	var groups []runner.Group
	for _, i := range list {
		groups = append(groups, i.Group)
	}
	return slices.Compact(groups), nil
}

// snapshot returns the selected instances in order, and a channel that is closed when a
// snapshot may have become a different one.
func (e *Engine) snapshot(sel runner.Selector) ([]runner.Instance, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := []runner.Instance{}
	for _, i := range e.instances {
		if sel.Matches(i.rec.Group) {
			list = append(list, i.public())
		}
	}
	slices.SortFunc(list, func(a, b runner.Instance) int {
		return cmp.Or(
			strings.Compare(a.App, b.App),
			strings.Compare(a.Release, b.Release),
			strings.Compare(a.Type, b.Type),
			cmp.Compare(a.Number, b.Number),
			strings.Compare(a.ID, b.ID),
		)
	})
	return list, e.changed
}

// selected returns the instances that sel picks, in no order.
func (e *Engine) selected(sel runner.Selector) []*instance {
	e.mu.Lock()
	defer e.mu.Unlock()
	var picked []*instance
	for _, i := range e.instances {
		if sel.Matches(i.rec.Group) {
			picked = append(picked, i)
		}
	}
	return picked
}

// instance returns the instance with this id, or an error that wraps runner.ErrNotFound.
func (e *Engine) instance(id string) (*instance, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i, ok := e.instances[id]
	if !ok {
		return nil, fmt.Errorf("instance %q: %w", id, runner.ErrNotFound)
	}
	return i, nil
}

// announce wakes whoever waits for a change. Callers hold mu.
func (e *Engine) announce() {
	close(e.changed)
	e.changed = make(chan struct{})
}
