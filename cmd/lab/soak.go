package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// soak deploys many apps at once while clients visit them and the server is killed now and then.
type soak struct {
	*platform
	soakPlan
	flags   []string // of the server
	remote  string   // of the repositories, without the app's name
	apps    []*soakApp
	outages outages
	health  health

	mu       sync.Mutex // guards what follows
	finished int        // deployments
	results  map[string]int
	broken   []string
}

// soakPlan is the size of a soak.
type soakPlan struct {
	deployments, apps, kills, clients int
	pause                             time.Duration // of a client between two requests
}

// soakReleases is how many images the server keeps per app.
const soakReleases = 3

// runSoak makes the promises of a deployment and counts how often they are broken, none of which may be.
func runSoak(ctx context.Context, args []string, out io.Writer) (_ map[string]any, _ []string, err error) {
	fs := flag.NewFlagSet("lab soak", flag.ContinueOnError)
	var plan soakPlan
	fs.IntVar(&plan.deployments, "deployments", 200, "deployments in all")
	fs.IntVar(&plan.apps, "apps", 20, "apps, which are deployed in parallel")
	fs.IntVar(&plan.kills, "kills", 5, "kill -9 of the server, during the first half of the deployments")
	fs.IntVar(&plan.clients, "clients", 2, "clients per app")
	fs.DurationVar(&plan.pause, "pause", 50*time.Millisecond, "between two requests of a client")
	limit := fs.Duration("limit", 20*time.Minute, "longest time")
	engine := fs.String("engine", "docker", "docker or local")
	if err := fs.Parse(args); err != nil || plan.apps < 1 || plan.deployments < plan.apps {
		return nil, nil, errUsage
	}
	ctx, stop := context.WithTimeoutCause(ctx, *limit, fmt.Errorf("not done within %s", *limit))
	defer stop()
	flags := []string{"-engine", *engine, "-drain-time", "5s", "-stop-time", "5s", "-grace-time", "200ms", "-releases", fmt.Sprint(soakReleases)}
	p, err := startPlatform(ctx, flags...)
	if err != nil {
		return nil, nil, err
	}
	s := &soak{
		platform: p, soakPlan: plan, remote: "ssh://git@" + p.ssh + "/", results: map[string]int{},
		flags: append(flags, "-ssh-addr", p.ssh, "-http-addr", p.http), // the clients go on where they were
	}
	begin := time.Now()
	err = s.measure(ctx, out)
	if ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	err = errors.Join(err, s.stop())
	return s.figures(*engine, time.Since(begin)), s.broken, err
}

// measure runs the soak, then holds what is there to account, first with the apps, then without.
func (s *soak) measure(ctx context.Context, out io.Writer) (err error) {
	fresh, err := openFiles(s.server.Process.Pid)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.destroyAll(context.WithoutCancel(ctx))) }()
	if err := s.prepare(ctx); err != nil {
		return err
	}
	if err := s.deployAll(ctx, out); err != nil {
		return err
	}
	// A client that was killed does not see how its deployment ends.
	if err := s.settle(ctx, "under way", s.underWay); err != nil {
		return err
	}
	for _, a := range s.apps {
		if err := s.auditApp(ctx, a); err != nil {
			return err
		}
	}
	if err := s.settle(ctx, "with the apps", s.excess); err != nil {
		return err
	}
	if err := s.destroyAll(ctx); err != nil {
		return err
	}
	if err := s.settle(ctx, "without the apps", s.remains); err != nil {
		return err
	}
	if err := s.settle(ctx, "of the server", func(context.Context) ([]string, error) { return s.unclosed(fresh) }); err != nil {
		return err
	}
	s.health.judge(s)
	s.print(out)
	return nil
}

// prepare makes the apps and their repositories.
func (s *soak) prepare(ctx context.Context) error {
	binary, err := buildServer(ctx, s.dir, 0)
	if err != nil {
		return err
	}
	for i := range s.soakPlan.apps {
		a := &soakApp{soak: s, name: fmt.Sprintf("soak-app-%d", i+1), commits: map[string]int{}, answers: map[int]int{}}
		if err := s.manage(ctx, "", "create", "--owner", "lab", a.name); err != nil {
			return err
		}
		s.apps = append(s.apps, a)
		if a.repo, err = s.newRepo(ctx, a.name, map[string][]byte{"server": binary}); err != nil {
			return err
		}
	}
	return nil
}

// deployAll deploys each app again and again, the apps side by side, under load.
func (s *soak) deployAll(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var crowd, pushers sync.WaitGroup
	around, leave := context.WithCancel(ctx)
	s.health.restart(s.server.Process.Pid)
	crowd.Go(func() { s.health.watch(around) })
	for _, a := range s.apps {
		for range s.clients {
			crowd.Go(func() { a.client(around) })
		}
	}
	for i, a := range s.apps {
		pushers.Go(func() {
			for n := i; n < s.deployments; n += len(s.apps) {
				if err := a.deploy(ctx, planOf(n, len(s.apps))); err != nil {
					cancel(err)
					return
				}
				s.finish(out)
			}
		})
	}
	pushers.Go(func() {
		if err := s.killNowAndThen(ctx); err != nil {
			cancel(err)
		}
	})
	pushers.Wait()
	leave()
	crowd.Wait()
	return context.Cause(ctx)
}

// killNowAndThen ends the server with SIGKILL and starts it again, in even distances of the first half of the deployments.
func (s *soak) killNowAndThen(ctx context.Context) error {
	for kill := 1; kill <= s.kills; kill++ {
		for due := s.deployments * kill / (2*s.kills + 1); s.done() < due; {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(20 * time.Millisecond):
			}
		}
		if err := s.kill(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *soak) kill(ctx context.Context) error {
	s.outages.begin()
	if err := s.server.Process.Kill(); err != nil {
		return err
	}
	_ = s.server.Wait() // ends by our signal
	if err := s.serve(ctx, s.flags); err != nil {
		return fmt.Errorf("after a kill: %w; what it has left has the label boathook.namespace=%s", err, filepath.Base(s.dir))
	}
	s.health.restart(s.server.Process.Pid)
	s.outages.end()
	return nil
}

func (s *soak) done() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.finished
}

func (s *soak) finish(out io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finished++; s.finished%max(1, s.deployments/10) == 0 {
		fmt.Fprintf(out, "%d of %d deployments\n", s.finished, s.deployments)
	}
}

// breach notes a promise that is broken.
func (s *soak) breach(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = append(s.broken, fmt.Sprintf(format, args...))
}

// destroyAll removes the apps that are still there.
func (s *soak) destroyAll(ctx context.Context) error {
	var errs []error
	for len(s.apps) > 0 {
		errs = append(errs, s.manage(ctx, "", "destroy", s.apps[0].name, "--force"))
		s.health.add(s.apps[0])
		s.apps = s.apps[1:]
	}
	return errors.Join(errs...)
}

// print shows the outcomes of deployments and requests.
func (s *soak) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	for _, status := range slices.Sorted(maps.Keys(s.results)) {
		fmt.Fprintf(w, "%s\t%d\t\n", status, s.results[status])
	}
	h := &s.health
	fmt.Fprintf(w, "requests\t%d\t\nwrong\t%d\t\nfailed\t%d\t\nfailed, the server dead\t%d\t\n", h.requests, h.wrong, h.failed, h.excused)
	fmt.Fprintf(w, "MB in the middle\t%.1f\t\nMB at the end\t%.1f\t\nopen files at most\t%d\t\n", h.middle, h.end, h.files)
	w.Flush()
}

func (s *soak) figures(engine string, took time.Duration) map[string]any {
	h := &s.health
	return map[string]any{
		"engine": engine, "deployments": s.results, "kills": s.outages.count(), "requests": h.requests, "wrong": h.wrong, "failed": h.failed,
		"failed_while_dead": h.excused, "leftovers": h.leftovers, "middle_mb": h.middle, "end_mb": h.end, "files": h.files, "seconds": took.Seconds(),
	}
}

// settle asks until nothing is left of what should go away by itself, for at most three minutes.
func (s *soak) settle(ctx context.Context, where string, left func(context.Context) ([]string, error)) error {
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		found, err := left(ctx)
		if err != nil || len(found) == 0 {
			return err
		}
		if time.Now().After(end) {
			s.health.leftovers += len(found)
			s.breach("left over %s: %s", where, strings.Join(found, ", "))
			return nil
		}
	}
}
