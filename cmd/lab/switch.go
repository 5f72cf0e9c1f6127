package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// tally is what the load saw.
type tally struct {
	mu       sync.Mutex // guards all of it
	requests int
	failures []string
	backward int         // answers of an older version after a newer one on the same connection
	versions map[int]int // requests by version that answered
}

// runSwitch keeps connections busy while versions are deployed one after the other.
func runSwitch(ctx context.Context, args []string, out io.Writer) (map[string]any, []string, error) {
	fs := flag.NewFlagSet("lab switch", flag.ContinueOnError)
	connections := fs.Int("connections", 64, "client connections")
	deployments := fs.Int("deployments", 20, "deployments in a row")
	engine := fs.String("engine", "docker", "docker or local")
	if err := fs.Parse(args); err != nil {
		return nil, nil, errUsage
	}
	p, err := startPlatform(ctx, "-engine", *engine, "-drain-time", "5s", "-stop-time", "5s")
	if err != nil {
		return nil, nil, err
	}
	figures, broken, err := p.measureSwitch(ctx, *connections, *deployments, out)
	return figures, broken, errors.Join(err, p.stop())
}

func (p *platform) measureSwitch(ctx context.Context, connections, deployments int, out io.Writer) (map[string]any, []string, error) {
	binary, err := buildServer(ctx, p.dir, 0)
	if err != nil {
		return nil, nil, err
	}
	dir, err := p.newRepo(ctx, "repo", map[string][]byte{"server": binary, "Procfile": []byte("web: ./server\n")})
	if err != nil {
		return nil, nil, err
	}
	// The platform queues 50 requests per container and refuses more: as many containers as the connections need.
	if err := p.manage(ctx, "", "scale", appName, fmt.Sprintf("web:%d", 1+(connections-1)/50)); err != nil {
		return nil, nil, err
	}
	if err := p.git(ctx, dir, "push", "scalingo", "master"); err != nil {
		return nil, nil, err
	}
	fmt.Fprintln(out, "version 0 is live; load begins")
	seen := &tally{versions: map[int]int{}}
	load, stop := context.WithCancel(ctx)
	defer stop()
	var clients sync.WaitGroup
	for range connections {
		clients.Go(func() { p.client(load, seen) })
	}
	begin := time.Now()
	for version := 1; version <= deployments; version++ {
		if err := p.deployVersion(ctx, dir, version); err != nil {
			stop()
			clients.Wait()
			return nil, nil, err
		}
		seen.mu.Lock()
		fmt.Fprintf(out, "version %2d live, %d requests, %d failed, %d backward\n", version, seen.requests, len(seen.failures), seen.backward)
		seen.mu.Unlock()
	}
	stop()
	clients.Wait()
	return seen.figures(connections, deployments, time.Since(begin))
}

// deployVersion pushes a new version and returns when git does.
func (p *platform) deployVersion(ctx context.Context, dir string, version int) error {
	binary, err := buildServer(ctx, p.dir, version)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "server"), binary, 0o755); err != nil {
		return err
	}
	if err := p.git(ctx, dir, "commit", "-q", "-a", "-m", strconv.Itoa(version)); err != nil {
		return err
	}
	return p.git(ctx, dir, "push", "-q", "scalingo", "master")
}

// client sends one request after the other on one connection until ctx ends, and notes every failure. A connection that
// the router closes on its own is a failure too.
func (p *platform) client(ctx context.Context, seen *tally) {
	for ctx.Err() == nil {
		if err := p.connection(ctx, seen); err != nil && ctx.Err() == nil {
			seen.fail(err)
		}
	}
}

func (p *platform) connection(ctx context.Context, seen *tally) error {
	v, err := visit(p.http, p.host)
	if err != nil {
		return err
	}
	defer v.close()
	newest := -1
	for ctx.Err() == nil {
		body, err := v.get()
		if err != nil {
			return err
		}
		version, err := strconv.Atoi(body)
		if err != nil {
			return err
		}
		seen.answer(version, version < newest)
		newest = max(newest, version)
	}
	return nil
}

func (t *tally) answer(version int, backward bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests++
	t.versions[version]++
	if backward {
		t.backward++
	}
}

func (t *tally) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures = append(t.failures, err.Error())
}

func (t *tally) figures(connections, deployments int, took time.Duration) (map[string]any, []string, error) {
	var broken []string
	if len(t.failures) > 0 {
		broken = append(broken, fmt.Sprintf("%d requests failed, the first: %s", len(t.failures), t.failures[0]))
	}
	if t.backward > 0 {
		broken = append(broken, fmt.Sprintf("%d answers of an older version after a newer one on the same connection", t.backward))
	}
	if len(t.versions) != deployments+1 {
		broken = append(broken, fmt.Sprintf("only %d of %d versions answered", len(t.versions), deployments+1))
	}
	return map[string]any{
		"connections": connections, "deployments": deployments, "requests": t.requests, "failed": len(t.failures),
		"backward": t.backward, "seconds": took.Seconds(),
	}, broken, nil
}
