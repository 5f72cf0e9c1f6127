// Package deploy is the story that boathook exists for: a pushed commit is built, its containers are
// started beside the running ones, and only when they answer and the postdeploy hook has succeeded does
// traffic move to them.
//
// [Deployer.Deploy] reads as that sentence. Until the switch nothing that serves the old version is
// touched, so every failure has one remedy: remove what this deployment made. From the switch on nothing
// can fail any more that a pusher would have to be told.
package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/docker/go-units"

	"boathook/builder"
	"boathook/receive/applog"
	"boathook/receive/state"
	"boathook/router"
	"boathook/runner"
)

// Router is what a deployment needs of the HTTP router, or of a feed of routers elsewhere.
type Router interface {
	Set(router.Route) *router.Drain
	Rename(from string, route router.Route) *router.Drain
	Remove(app string) *router.Drain
}

// Refs is what recovery needs of the repositories; gitpack.ZeroID means that the ref does not exist.
type Refs interface {
	Head(ctx context.Context, app, ref string) (string, error)
	SetHead(ctx context.Context, app, ref, old, new string) error
}

// Limits are the times and numbers of the specification; a zero field means its default.
type Limits struct {
	Concurrent int           // deployments at once per owner, 10
	Boot       time.Duration // until every web container accepts TCP, 60 s
	Grace      time.Duration // how long a type without a port must stay up to count as started, 2 s
	Hook       time.Duration // the postdeploy command, 20 min
	Drain      time.Duration // how long requests in flight may finish on the old version, 30 s
	Stop       time.Duration // between SIGTERM and SIGKILL, 30 s
	LogSize    int64         // bytes of the output of tools that a deployment's log keeps, 10 MiB
	Releases   int           // images of successful releases kept per app, 5
	DiskFree   int64         // bytes that must be free for a deployment to begin, 1 GiB
	Crashes    int           // of a live container in a row until it is given up, 12
	OneOffs    int           // of `run`, at once per app, 10
}

func (l Limits) withDefaults() Limits {
	l.Concurrent = cmp.Or(l.Concurrent, 10)
	l.Boot = cmp.Or(l.Boot, 60*time.Second)
	l.Grace = cmp.Or(l.Grace, 2*time.Second)
	l.Hook = cmp.Or(l.Hook, 20*time.Minute)
	l.Drain = cmp.Or(l.Drain, 30*time.Second)
	l.Stop = cmp.Or(l.Stop, 30*time.Second)
	l.LogSize = cmp.Or(l.LogSize, 10*units.MiB)
	l.Releases = cmp.Or(l.Releases, 5)
	l.DiskFree = cmp.Or(l.DiskFree, units.GiB)
	l.Crashes = cmp.Or(l.Crashes, 12)
	l.OneOffs = cmp.Or(l.OneOffs, 10)
	return l
}

// Config is what a Deployer works with. All of it but Followed, RouterLog and Limits is required.
type Config struct {
	Store   *state.Store
	Builder builder.Builder
	Engine  runner.Engine
	Router  Router
	// Followed returns once routers elsewhere have the table that there is now, and know so after a restart; nil if there can be none.
	Followed func(context.Context) error
	Refs     Refs
	Logbook  *applog.Store
	// RouterLog is what the router logs requests to; nil if it does not.
	RouterLog *RouterLog
	AppsURL   *url.URL // "http://example.com:8080": app my-app is at http://my-app.example.com:8080
	Region    string   // value of REGION_NAME
	Disks     []string // directories on whose file systems Limits.DiskFree must be free; may be empty
	Limits    Limits
	Log       *slog.Logger
}

// Deployer deploys, and answers for what is live. Close it when done.
type Deployer struct {
	Config
	queue      *queue
	claims     *claims
	inHand     inHand
	oneOffs    oneOffs
	attempts   attempts
	routes     *routes
	reconciler *reconciler
	free       func(dir string) (bytes int64, err error) // freeBytes; a test has disks of its own

	// background holds the retirements, which outlive the push that caused them, and what keeps the live releases alive.
	background sync.WaitGroup
	stop       context.Context // ends at Interrupt
	cancel     context.CancelFunc
}

// New makes a Deployer. Call Recover before the first Deploy.
func New(cfg Config) *Deployer {
	cfg.Limits = cfg.Limits.withDefaults()
	cfg.Engine = patient{cfg.Engine}
	cfg.RouterLog = cmp.Or(cfg.RouterLog, &RouterLog{})
	d := &Deployer{Config: cfg, queue: newQueue(cfg.Limits.Concurrent), claims: newClaims(), free: freeBytes}
	d.stop, d.cancel = context.WithCancel(context.Background())
	d.routes = newRoutes(d)
	d.reconciler = newReconciler(d)
	return d
}

// Interrupt aborts the detached deployments; the others end with their pushes. No retirement is cut short.
func (d *Deployer) Interrupt() { d.cancel() }

// Busy tells whether a deployment, a restart, a scaling or a destruction is under way or waits for its turn, a former version is still being
// retired, a hook runs by itself, or somebody is attached to a one-off.
func (d *Deployer) Busy() bool {
	return !d.attempts.empty() || !d.queue.empty() || !d.inHand.empty() || !d.oneOffs.empty()
}

// Close ends following the engine and waits for the retirements under way; it does not stop any app.
// Deployments must have ended before.
func (d *Deployer) Close() {
	d.Interrupt()
	d.background.Wait()
	d.routes.probes.Wait()
}

// Request is one push that passed the ref policy.
type Request struct {
	App    string
	Pusher string
	Ref    string // full name, "refs/heads/master"
	Commit string // full object id
	GitDir string // where the commit can be read until Deploy returns
	// From is a deployment whose release goes live once more, without a build; 0 builds Commit. No ref is published: Publish
	// and Revert are not called.
	From int64
	Options
	// Access ends when the pusher may not deploy any more, and ends a detached deployment too. May be nil.
	Access context.Context
	Out    io.Writer
	// Ready is asked once, when the deployment has the app for itself and before anything is built: an error refuses the
	// push, e.g. because the ref has moved while it waited. May be nil.
	Ready func(ctx context.Context) error
	// Publish makes the push durable (objects and ref) at the moment of the switch; Revert takes that
	// back if the switch could not be recorded.
	Publish func(ctx context.Context) error
	Revert  func(ctx context.Context) error
}

// Deploy carries one push from commit to live. It returns nil if the new version serves, else a *Failure,
// and everything that the deployment made is gone again. When ctx ends before the switch the deployment is aborted, unless it is
// detached.
func (d *Deployer) Deploy(ctx context.Context, req Request) error {
	_, err := d.carry(ctx, req)
	return err
}

// carry is Deploy, and tells the deployment's number, 0 if it did not come to one.
func (d *Deployer) carry(ctx context.Context, req Request) (id int64, err error) {
	if req.Detach {
		var cancel context.CancelFunc
		ctx, cancel = d.detached(ctx, req.Access)
		defer cancel()
	}
	r, err := d.open(ctx, req)
	if err != nil {
		return 0, &Failure{Status: state.Aborted, Err: err}
	}
	ctx, end := d.attempts.begin(ctx, r.record)
	defer end()
	defer r.console.Close()
	defer d.inHand.take(r.id)()
	err = r.deploy(ctx)
	if err != nil {
		err = r.fail(ctx, err)
	}
	d.Log.Info("deployment", "app", req.App, "deployment", r.id, "user", req.Pusher, "commit", req.Commit,
		"duration", time.Since(r.record.Created).Round(time.Millisecond), "err", err)
	return r.record.ID, err
}

// deployment is one run of the story and what it has made so far.
type deployment struct {
	*Deployer
	req     Request
	app     state.App
	record  state.Deployment
	id      string // record.ID as the release of engine groups
	console *console
	vars    map[string]string // the app's variables when its turn came, aliases resolved

	image     builder.Image
	formation []state.ProcessType // what is to run
}

// deploy is the main job, in the order in which it happens.
func (r *deployment) deploy(ctx context.Context) error {
	leave, err := r.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()

	if err := r.make(ctx); err != nil {
		return err
	}
	if err := r.ship(ctx); err != nil {
		return err
	}
	if err := r.hook(ctx, releaseHook); err != nil {
		return err
	}
	if err := r.start(ctx); err != nil {
		return err
	}
	ctx, rest := r.guard(ctx) // from here a container that exits ends the deployment
	defer rest()
	if err := r.wait(ctx); err != nil {
		return err
	}
	if err := r.hook(ctx, postdeployHook); err != nil {
		return err
	}
	if r.req.DryRun {
		return errDryRun
	}
	return r.switchOver(ctx)
}

// open records the deployment and starts its transcript.
func (d *Deployer) open(ctx context.Context, req Request) (*deployment, error) {
	app, err := d.Store.App(ctx, req.App)
	if err != nil {
		return nil, fmt.Errorf("app %s: %w", req.App, err)
	}
	record, err := d.Store.CreateDeployment(ctx, state.Deployment{
		App: req.App, Ref: req.Ref, Commit: req.Commit, Pusher: req.Pusher,
	})
	if err != nil {
		return nil, fmt.Errorf("record of the deployment: %w", err)
	}
	return &deployment{
		Deployer: d, req: req, app: app, record: record,
		id:      strconv.FormatInt(record.ID, 10),
		console: newConsole(req.Out, d.transcript(record.ID), d.Limits.LogSize),
	}, nil
}

// transcript stores what the pusher sees; a log that cannot be stored must not end the deployment.
func (d *Deployer) transcript(id int64) func([]byte) {
	return func(chunk []byte) {
		if err := d.Store.AppendLog(context.WithoutCancel(d.stop), id, chunk); err != nil {
			d.Log.Error("deployment log not stored", "deployment", id, "err", err)
		}
	}
}

// enter waits for the app's turn.
func (r *deployment) enter(ctx context.Context) (leave func(), err error) {
	defer r.phase("queue")()
	leave, err = r.queue.enter(ctx, r.app.Name, r.app.Owner, r.ticketName(), func(text string) { r.console.Platform(text) })
	if err != nil {
		return nil, err
	}
	if r.req.Ready != nil {
		if err := r.req.Ready(ctx); err != nil {
			leave()
			return nil, err
		}
	}
	// The app may have gone, or have another live release, since the push came in.
	if r.app, err = r.Store.App(ctx, r.app.Name); err != nil {
		leave()
		return nil, fmt.Errorf("app %s: %w", r.req.App, err)
	}
	if err := r.takeVariables(ctx); err != nil {
		leave()
		return nil, err
	}
	if err := r.preflight(); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// takeVariables reads the app's variables as they are now, so that none that was set while the deployment waited is missed, and has the console hide
// their values.
func (r *deployment) takeVariables(ctx context.Context) error {
	vars, err := r.Store.Variables(ctx, r.app.Name)
	if err != nil {
		return fmt.Errorf("variables of %s: %w", r.app.Name, err)
	}
	r.vars = resolveAliases(vars)
	r.console.hide(secretsOf(r.vars))
	return nil
}

func (r *deployment) ticketName() string {
	if r.req.Pusher == "" {
		return "deployment " + r.id
	}
	return "deployment " + r.id + " of " + r.req.Pusher
}

// make comes by the image: by a build, or from an earlier release.
func (r *deployment) make(ctx context.Context) error {
	if err := r.enterStatus(ctx, state.Building); err != nil {
		return err
	}
	defer r.phase("build")()
	r.console.Platform("<-- Start deployment of " + r.app.Name + " -->")
	if r.req.From != 0 {
		return r.reuse(ctx)
	}
	return r.build(ctx)
}

// reuse takes the image of an earlier release.
func (r *deployment) reuse(ctx context.Context) error {
	release, err := r.Store.Release(ctx, r.req.From)
	if err != nil {
		return fmt.Errorf("release %d: %w", r.req.From, err)
	}
	r.console.Step(fmt.Sprintf("Taking the image of deployment %d (commit %.8s)", release.Deployment, release.Commit))
	r.image = imageOf(release)
	return nil
}

func imageOf(r state.Release) builder.Image {
	return builder.Image{Ref: r.Image, Launcher: r.Launcher, Types: r.Types, Size: r.Size, Stack: r.Stack}
}

// build makes the image of the commit.
func (r *deployment) build(ctx context.Context) error {
	ctx, rest := r.withRoom(ctx, state.BuildError)
	defer rest()
	tools := r.console.Tools("")
	defer tools.Flush()
	image, err := r.Builder.Build(ctx, builder.Request{
		App: r.app.Name, Deployment: r.id, Commit: r.req.Commit, GitDir: r.req.GitDir, Env: r.vars,
		NoCache: r.req.NoCache, Out: tools,
	})
	if err != nil {
		var failure *builder.Failure
		if errors.As(err, &failure) && ctx.Err() == nil {
			return &Failure{Status: state.BuildError, Text: failure.Summary, Err: err}
		}
		return r.because(ctx, fmt.Errorf("build: %w", err))
	}
	r.image = image
	return nil
}

// ship records the release and decides what will run of it. The image is already where this machine's engine finds it.
func (r *deployment) ship(ctx context.Context) error {
	if err := r.enterStatus(ctx, state.Pushing); err != nil {
		return err
	}
	defer r.phase("ship")()
	r.console.Platform("Build complete, shipping your container...")
	stored, err := r.Store.Formation(ctx, r.app.Name)
	if err != nil {
		return fmt.Errorf("formation: %w", err)
	}
	if r.formation, err = planFormation(stored, r.image.Types); err != nil {
		return err
	}
	return r.Store.SaveRelease(ctx, state.Release{
		Deployment: r.record.ID, App: r.app.Name, Commit: r.req.Commit, Image: r.image.Ref, Stack: r.image.Stack,
		Launcher: r.image.Launcher, Types: r.image.Types, Size: r.image.Size,
	})
}

// enterStatus records a transition; a deployment whose truth cannot be recorded does not go on.
func (r *deployment) enterStatus(ctx context.Context, status state.Status) error {
	if err := r.Store.SetStatus(ctx, r.record.ID, status, ""); err != nil {
		return fmt.Errorf("record status %s: %w", status, err)
	}
	return nil
}

// phase measures until the returned function is called.
func (r *deployment) phase(name string) func() {
	begin := time.Now()
	return func() {
		if err := r.Store.RecordPhase(context.WithoutCancel(r.stop), r.record.ID, name, time.Since(begin)); err != nil {
			r.Log.Error("phase not recorded", "deployment", r.id, "err", err)
		}
	}
}
