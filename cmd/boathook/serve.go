package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"boathook/builder"
	"boathook/receive"
	"boathook/receive/applog"
	"boathook/receive/apps"
	"boathook/receive/command"
	"boathook/receive/deploy"
	"boathook/receive/gitpack"
	"boathook/receive/state"
	"boathook/router"
	"boathook/runner"
)

// serve is `boathook serve`: everything in one process until ctx ends.
func serve(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cfg, err := parseConfig(args, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "boathook:", err)
		return 2
	}
	log := cfg.logger(stderr)
	ctx, stop := attended(ctx)
	defer stop()
	s := newServer(cfg, log)
	if s.upgrades, err = openUpgrades(log); err != nil {
		log.Debug("this boathook cannot be replaced while it serves", "err", err)
	}
	defer s.upgrades.Close()
	if err := s.open(ctx); err != nil {
		fmt.Fprintln(stderr, "boathook:", err)
		return 1
	}
	s.announce(ctx)
	s.notifyReady()
	if err := s.run(ctx); err != nil {
		fmt.Fprintln(stderr, "boathook:", err)
		return 1
	}
	switch {
	case s.succeeded:
		log.Info("boathook has stopped: another one serves")
	case s.feed != nil:
		log.Info("boathook has stopped: the apps go on running, and 'boathook router' routes to them")
	default:
		log.Info("boathook has stopped: the apps go on running, without the router, until it serves again")
	}
	return 0
}

// server is a whole boathook: open makes it ready, run serves until its context ends, and then closes it.
type server struct {
	front
	cfg     *config
	appsURL *url.URL

	store    *state.Store
	logbook  *applog.Store
	repos    *gitpack.Repos
	engine   runner.Engine
	builder  builder.Builder
	feed     *router.Feed // nil if the router is in this process
	disks    []string     // directories of the engine that deployments fill
	deployer *deploy.Deployer

	routerLog *deploy.RouterLog

	apps *apps.Service
	work *sessions
	ssh  *receive.Server

	sshListener, adminListener net.Listener
	serving                    chan struct{} // closed when the admin socket is served

	// parts may replace what the deployer works with before it is made: the tests put their faults there. Nil changes nothing.
	parts func(*deploy.Config)
}

func newServer(cfg *config, log *slog.Logger) *server {
	s := &server{cfg: cfg, serving: make(chan struct{})}
	s.settings, s.log = &cfg.webConfig, log
	return s
}

// open wires everything together, brings the engine in step with the store, and listens. On an error nothing stays open.
func open(ctx context.Context, cfg *config, log *slog.Logger) (*server, error) {
	s := newServer(cfg, log)
	return s, s.open(ctx)
}

func (s *server) open(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	for _, step := range []func(context.Context) error{
		s.openRouter, s.takeData, s.listen, s.openData, s.openEngine, s.openDeployer, s.openDoors,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// openRouter makes what is closed last: requests under way do not need the data, which the next boathook may have already.
func (s *server) openRouter(context.Context) error {
	s.routerLog = &deploy.RouterLog{}
	if s.cfg.apart() {
		s.feed = router.NewFeed(s.log, s.routerLog)
		return s.openMetrics()
	}
	cfg := s.settings.router(s.log)
	cfg.AccessLog = s.routerLog
	if file := s.openAccessLog(); file != nil {
		cfg.AccessLog = both{s.routerLog, file}
	}
	r := router.New(cfg)
	s.onClose(r.Close)
	s.openWeb(r)
	return s.openMetrics()
}

// takeData makes this boathook the only one of its data directory until all that needs it is closed: a second one must not touch what
// the first one runs. The one that replaces another waits for it.
func (s *server) takeData(ctx context.Context) error {
	const other = "choose a directory with -data in which boathook may write"
	if err := os.MkdirAll(s.cfg.data, 0o700); err != nil {
		return fmt.Errorf("data directory: %w: %s", err, other)
	}
	if s.upgrades.succeeds() {
		if err := state.Check(ctx, s.database()); err != nil { // now the boathook before can still go on
			return fmt.Errorf("database: %w", err)
		}
		if err := s.upgrades.Ready(); err != nil {
			return fmt.Errorf("tell the boathook before: %w", err)
		}
		s.notifySuccession()
	}
	lock, err := lockData(ctx, s.cfg.data, s.upgrades.succeeds())
	if errors.Is(err, errServed) {
		return err
	}
	if err != nil {
		return fmt.Errorf("data directory: %w: %s", err, other)
	}
	s.onClose(lock.Close)
	if err := privateDir(s.cfg.data); err != nil {
		return errors.Join(err, lock.remove())
	}
	return nil
}

func (s *server) database() string { return filepath.Join(s.cfg.data, "boathook.db") }

// openData opens what lies in the data directory.
func (s *server) openData(ctx context.Context) error {
	store, err := state.Open(ctx, s.database())
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	s.store = store
	s.onClose(store.Close)
	if kept := store.Kept(); kept != "" {
		s.log.Info("the database was brought up to date: remove the copy of it as it was when this boathook has proved itself", "copy", kept)
	}

	if s.logbook, err = applog.Open(filepath.Join(s.cfg.data, "logs"), int64(s.cfg.logSize)); err != nil {
		return err
	}
	s.onClose(s.logbook.Close)

	s.repos, err = gitpack.Open(gitpack.Config{
		Dir: filepath.Join(s.cfg.data, "repositories"), Log: s.log, Version: version(),
		Limits: gitpack.Limits{InputSize: int64(s.cfg.packSize), RepositorySize: int64(s.cfg.repositorySize)},
	})
	if err != nil {
		return fmt.Errorf("repositories: %w", err)
	}
	if err := s.repos.Sweep(ctx); err != nil {
		return err
	}
	return s.repos.FinishRenames(ctx, s.hasApp)
}

func (s *server) hasApp(ctx context.Context, name string) (bool, error) {
	_, err := s.store.App(ctx, name)
	if errors.Is(err, state.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// listen takes the ports early, so that one that is in use costs nothing.
func (s *server) listen(context.Context) (err error) {
	if s.adminListener, err = receive.ListenAdmin(socket(s.cfg.data)); err != nil {
		return fmt.Errorf("admin socket: %w; choose another data directory with -data", err)
	}
	s.onClose(ignoreClosed(s.adminListener.Close))
	held, err := s.inherit()
	if err != nil {
		return err
	}
	if s.sshListener, err = s.door(held, "ssh", s.cfg.sshAddr); err != nil {
		return err
	}
	if err := s.listenWeb(held); err != nil {
		return err
	}
	s.appsURL, err = s.cfg.apps(s.httpListener)
	return err
}

// openDeployer makes the deployer and lets it recover what an earlier boathook left.
func (s *server) openDeployer(ctx context.Context) error {
	parts := deploy.Config{
		Store: s.store, Builder: s.builder, Engine: s.engine, Router: s.router, Refs: s.repos,
		Logbook: s.logbook, RouterLog: s.routerLog,
		AppsURL: s.appsURL, Region: s.cfg.region, Disks: append([]string{s.cfg.data}, s.disks...), Limits: s.cfg.deploy, Log: s.log,
	}
	if s.feed != nil {
		parts.Router, parts.Followed = s.feed, s.followed
	}
	if s.parts != nil {
		s.parts(&parts)
	}
	s.deployer = deploy.New(parts)
	s.onClose(func() error { s.deployer.Close(); return nil })
	return s.deployer.Recover(ctx)
}

// openDoors makes the SSH server and the commands behind it.
func (s *server) openDoors(context.Context) (err error) {
	s.apps = apps.New(apps.Config{
		Store: s.store, Runtime: s.deployer, Repositories: s.repos, Platform: s.appsURL.Hostname(), Certificates: s.certificates(), UserCAs: s.cfg.userCAs, Log: s.log,
		AccessChanged: func(ctx context.Context) { s.ssh.Recheck(ctx) },
	})
	s.work = &sessions{log: s.log, apps: s.apps, repos: s.repos, deployer: s.deployer, commands: command.Commands(), remote: s.remote()}
	s.ssh, err = receive.New(receive.Config{
		HostKeyDir: filepath.Join(s.cfg.data, "host-keys"), Keys: keys{s.apps}, Log: s.log, Version: version(),
		Sessions: s.work, Subsystems: map[string]func(context.Context, receive.Session) int{feedSubsystem: s.feedRouter}, Refused: s.work.loginRefused, LoggedIn: s.work.loggedIn,
		MaxConnections: s.cfg.sshConnections, MaxConnectionsPerIP: s.cfg.sshPerIP, Idle: s.cfg.sshIdle,
	})
	return err
}

// remote is where people push to, taken from what this machine knows: the host of the apps and the port of the SSH server.
func (s *server) remote() string {
	port := s.sshListener.Addr().(*net.TCPAddr).Port
	return fmt.Sprintf("ssh://git@%s/", net.JoinHostPort(s.appsURL.Hostname(), strconv.Itoa(port)))
}

// goodbye is what the sessions of a boathook that stops have to tell how what they do has ended: a deployment that is aborted first removes what it has
// started. systemd gives twice as much.
const goodbye = time.Minute

// run serves until ctx ends, a listener fails or another boathook has come to replace this one, then closes everything: deployments under
// way are aborted, retirements finished, requests answered, and apps go on running.
func (s *server) run(ctx context.Context) error {
	work := newWorkers(ctx)
	defer work.cancel(nil)
	ctx = work.ctx
	work.start("ssh", func() error { return s.ssh.Serve(ctx, s.sshListener) })
	work.start("admin socket", func() error { return s.ssh.ServeAdmin(ctx, s.adminListener) })
	close(s.serving)
	s.serveWeb(work.start)
	if err := s.upgrades.ready(); err != nil {
		work.cancel(err)
	}

	select {
	case <-ctx.Done():
		s.log.Info("boathook stops: deployments under way are aborted, old versions finish their requests")
	case <-s.upgrades.replaced():
		err := ignoreClosed(s.sshListener.Close)()
		s.finish(ctx)
		s.requests, s.succeeded = s.cfg.deploy.Drain, true
		work.cancel(err)
	}
	err := s.shutWeb()
	s.deployer.Interrupt()
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer stop()
	err = errors.Join(err, s.ssh.Shutdown(grace))
	work.Wait()
	return errors.Join(work.failure(), err, s.close())
}

// announce says where the server is, and how the first user comes in while there is none.
func (s *server) announce(ctx context.Context) {
	s.log.Info("boathook serves", "version", version(), "ssh", s.sshListener.Addr().String(), "http", addressOf(s.httpListener), "https", addressOf(s.httpsListener),
		"apps", s.appsURL.String(), "engine", s.engine.Name(), "data", s.cfg.data)
	if users, err := s.store.Users(ctx); err == nil && len(users) == 0 {
		s.log.Info("there is no user yet: run 'boathook users-add --admin NAME --key ~/.ssh/id_ed25519.pub'")
	}
}
