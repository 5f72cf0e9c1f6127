package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/cloudflare/tableflip"
)

// upgrades replaces this boathook by a new one that runs the program file as it is then, with the same settings, and refuses nobody
// meanwhile. At SIGUSR2
//
//  1. the new one is started with the listening sockets of this one. If it does not come so far as to wait for the data directory, it is
//     ended, and this one goes on as if nothing had been;
//  2. this one takes no more SSH connections, and lets the deployments and retirements under way finish. HTTP is served as ever;
//  3. this one takes no more HTTP connections and frees the data directory. The new one opens it and serves: who has connected since waits
//     that long;
//  4. this one answers the requests that it had begun, and ends.
//
// A nil *upgrades never replaces anything.
type upgrades struct {
	*tableflip.Upgrader
	log  *slog.Logger
	held inherited // the sockets of the boathook that this one replaces
	stop context.CancelFunc
	work sync.WaitGroup

	mu     sync.Mutex   // guards what follows
	before func() error // see prepare
}

// openUpgrades takes over the sockets of the boathook that has started this one, if any. There can be one upgrades in a process.
func openUpgrades(log *slog.Logger) (*upgrades, error) {
	u, err := tableflip.New(tableflip.Options{})
	if err != nil {
		return nil, fmt.Errorf("upgrades: %w", err)
	}
	up := &upgrades{Upgrader: u, log: log, held: inherited{}}
	for _, name := range doors {
		l, err := u.Listener("tcp", name)
		if err != nil {
			u.Stop()
			return nil, fmt.Errorf("socket %s of the boathook before: %w", name, err)
		}
		if l != nil {
			up.held[name] = []net.Listener{l}
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	up.stop = stop
	up.work.Go(func() { up.listen(ctx) })
	return up, nil
}

// listen does what SIGUSR2 asks for.
func (u *upgrades) listen(ctx context.Context) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR2)
	defer signal.Stop(asked)
	for {
		select {
		case <-ctx.Done():
			return
		case <-asked:
		}
		u.log.Info("starting the boathook that replaces this one")
		err := u.prepared()
		if err == nil {
			err = u.Upgrade()
		}
		if err != nil {
			u.log.Error("not replaced: this boathook goes on serving", "err", err)
		}
	}
}

// prepare has f called before another boathook is started, which does not happen if that fails.
func (u *upgrades) prepare(f func() error) {
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.before = f
}

// prepared calls what prepare was given.
func (u *upgrades) prepared() error {
	u.mu.Lock()
	before := u.before
	u.mu.Unlock()
	if before == nil {
		return nil
	}
	return before()
}

// Close ends listening to the signal.
func (u *upgrades) Close() error {
	if u == nil {
		return nil
	}
	u.stop()
	u.Stop()
	u.work.Wait()
	return nil
}

// succeeds tells whether this boathook was started to replace another.
func (u *upgrades) succeeds() bool { return u != nil && u.HasParent() }

// keep makes a listener one that the next boathook gets.
func (u *upgrades) keep(name string, l net.Listener) error {
	if u == nil || u.held[name] != nil {
		return nil
	}
	passable, ok := l.(tableflip.Listener)
	if !ok {
		return errors.ErrUnsupported
	}
	return u.AddListener("tcp", name, passable)
}

// ready lets this boathook be replaced from now on.
func (u *upgrades) ready() error {
	if u == nil || u.HasParent() { // a successor has said so already
		return nil
	}
	return u.Ready()
}

// readyNow is ready for a boathook that serves as soon as it has its sockets: a successor says only then that it is there.
func (u *upgrades) readyNow() error {
	if u == nil {
		return nil
	}
	return u.Ready()
}

// replaced is closed when another boathook waits for the end of this one.
func (u *upgrades) replaced() <-chan struct{} {
	if u == nil {
		return nil
	}
	return u.Exit()
}

// finish waits until no push, no deployment, no retirement and no attached one-off is under way, for as long as the setting allows: they would hold up the next
// boathook when nobody takes HTTP connections any more.
func (s *server) finish(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, s.cfg.finish)
	defer stop()
	s.log.Info("another boathook replaces this one: deployments under way finish first", "limit", s.cfg.finish)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for s.work.pushes.Load() > 0 || s.deployer.Busy() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
