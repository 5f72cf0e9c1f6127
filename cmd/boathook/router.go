package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"boathook/router"
)

// route is `boathook router`: the routing in a process of its own. It does what a boathook serve with -http-addr none says over the admin socket, and
// goes on with the table that it has while none answers.
func route(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cfg, err := parseRouterConfig(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "boathook:", err)
		return 2
	}
	ctx, stop := attended(ctx)
	defer stop()
	r := &routing{}
	r.settings, r.log = cfg, cfg.logger(stderr)
	if r.upgrades, err = openUpgrades(r.log); err != nil {
		r.log.Debug("this router cannot be replaced while it serves", "err", err)
	}
	defer r.upgrades.Close()
	err = r.open(ctx)
	if err == nil {
		err = r.run(ctx)
	}
	if err != nil {
		fmt.Fprintln(stderr, "boathook:", err)
		return 1
	}
	r.log.Info("router has stopped", "succeeded", r.succeeded)
	return 0
}

// routerFlags declares the settings of boathook router.
func routerFlags(c *webConfig) *flag.FlagSet {
	fs := flag.NewFlagSet("boathook router", flag.ContinueOnError)
	c.declare(fs)
	addressVar(fs, &c.httpAddr, "http-addr", "0.0.0.0:8080", "`address` of the router")
	return fs
}

func parseRouterConfig(args []string, usage io.Writer) (*webConfig, error) {
	c := &webConfig{}
	if err := parseSettings(routerFlags(c), args, usage); err != nil {
		return nil, err
	}
	return c, c.checkWeb()
}

// routing is a router by itself: open makes it ready, run serves until its context ends, and then closes it.
type routing struct {
	front
	follower *router.Follower
}

// redial is the pause between two attempts to reach boathook serve.
const redial = 100 * time.Millisecond

// open takes the ports, the last table, and begins to follow. On an error nothing stays open.
func (r *routing) open(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	dir := filepath.Join(r.settings.data, "router")
	if err := errors.Join(os.MkdirAll(r.settings.data, 0o700), privateDir(r.settings.data), os.MkdirAll(dir, 0o700)); err != nil {
		return fmt.Errorf("data directory: %w: name with -data the one of 'boathook serve', as its user", err)
	}
	cfg := r.settings.router(r.log)
	if file := r.openAccessLog(); file != nil {
		cfg.AccessLog = file
	}
	r.follower = router.NewFollower(cfg, filepath.Join(dir, "table.json"), bootID())
	r.onClose(r.follower.Close)
	r.upgrades.prepare(r.follower.Keep)             // the next one may find no boathook to follow
	r.onClose(r.follow(context.WithoutCancel(ctx))) // until the last requests are answered: who routes elsewhere is waited for
	r.openWeb(r.follower.Router)
	if err := r.openMetrics(); err != nil {
		return err
	}
	held, err := r.inherit()
	if err != nil {
		return err
	}
	return r.listenWeb(held)
}

// firstTable is how long clients wait for a router that has no table yet, as when a machine starts; then they are told.
const firstTable = 5 * time.Second

// run serves until ctx ends, a port fails, or another router has come to replace this one.
func (r *routing) run(ctx context.Context) error {
	work := newWorkers(ctx)
	defer work.cancel(nil)
	select {
	case <-r.follower.Known():
	case <-time.After(firstTable):
	case <-ctx.Done():
	}
	r.serve(work)
	return errors.Join(work.failure(), r.close())
}

func (r *routing) serve(work *workers) {
	r.serveWeb(work.start)
	if r.upgrades.succeeds() {
		r.notifySuccession()
	}
	if err := r.upgrades.readyNow(); err != nil {
		work.cancel(err)
	}
	r.log.Info("router serves", "version", version(), "http", addressOf(r.httpListener), "https", addressOf(r.httpsListener), "data", r.settings.data)
	r.notifyReady()
	select {
	case <-work.ctx.Done():
	case <-r.upgrades.replaced():
		r.log.Info("another router has taken over: requests under way are answered")
		r.requests, r.succeeded = finishRequests, true
	}
	if err := r.shutWeb(); err != nil {
		r.log.Error("ports not closed", "err", err)
	}
	work.Wait()
}

// finishRequests is how long a router that was replaced goes on with the requests that it has.
const finishRequests = 30 * time.Second

// bootID tells one start of this machine from another (proc_sys_kernel(5)), where that can be told.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// follow follows boathook serve, now and whenever it is there, until the returned function is called.
func (r *routing) follow(ctx context.Context) (end func() error) {
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	following.Go(func() {
		said := ""
		for ctx.Err() == nil {
			err := followOnce(ctx, socket(r.settings.data), r.follower)
			if errors.Is(err, errFollowed) {
				said = ""
			}
			if text := err.Error(); text != said && ctx.Err() == nil {
				r.log.Warn("routing by the last table, as there is no boathook to follow", "err", err)
				said = text
			}
			select {
			case <-ctx.Done():
			case <-time.After(redial):
			}
		}
	})
	return func() error {
		cancel()
		following.Wait()
		return nil
	}
}
