package deploy

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"boathook/builder"
	"boathook/receive/gitpack"
	"boathook/receive/state"
	"boathook/router"
	"boathook/runner"
	"boathook/runner/local"
)

// heads is a repository of refs only.
type heads map[string]string

func (h heads) Head(_ context.Context, _, ref string) (string, error) { return h[ref], nil }

func (h heads) SetHead(_ context.Context, _, ref, old, new string) error {
	if h[ref] != old {
		return errors.New("the ref is elsewhere")
	}
	h[ref] = new
	return nil
}

// shelf is a builder that only removes, and notes whether containers of the image were still there.
type shelf struct {
	builder.Builder
	engine  runner.Engine
	removed []string
}

func (s *shelf) Images(context.Context) ([]string, error) { return nil, nil }

func (s *shelf) Remove(ctx context.Context, ref string) error {
	instances, err := s.engine.List(ctx, runner.Selector{})
	if err != nil {
		return err
	}
	for _, i := range instances {
		if i.Image == ref {
			return errors.New("the image is in use")
		}
	}
	s.removed = append(s.removed, ref)
	return nil
}

// TestRecover starts a deployer where another one died: one release is live but none of its containers runs, a second deployment
// was starting, with its containers there and its ref moved.
func TestRecover(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	store, err := state.Open(ctx, filepath.Join(dir, "boathook.db"))
	check(t, err)
	defer store.Close()
	engine, err := local.New(local.Config{Dir: filepath.Join(dir, "local"), Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	defer engine.Close()
	defer func() { check(t, engine.Remove(context.WithoutCancel(ctx), runner.Selector{}, 0)) }()

	_, err = store.CreateUser(ctx, "alice", false)
	check(t, err)
	_, err = store.CreateApp(ctx, "my-app", "alice")
	check(t, err)
	release := func(commit string) state.Release {
		image := filepath.Join(dir, "image-"+commit)
		check(t, os.Mkdir(image, 0o755))
		d, err := store.CreateDeployment(ctx, state.Deployment{App: "my-app", Ref: "refs/heads/master", Commit: commit, Pusher: "alice"})
		check(t, err)
		r := state.Release{Deployment: d.ID, App: "my-app", Commit: commit, Image: image, Launcher: []string{"/bin/sh", "-c"},
			Types: map[string]string{"worker": "sleep 600"}}
		for _, status := range []state.Status{state.Building, state.Pushing, state.Starting} {
			check(t, store.SetStatus(ctx, d.ID, status, ""))
		}
		check(t, store.SaveRelease(ctx, r))
		return r
	}
	live := release("c1")
	formation := []state.ProcessType{{Name: "worker", Command: "sleep 600", Amount: 2, Size: "M"}}
	check(t, store.GoLive(ctx, live.Deployment, formation))
	dead := release("c2")
	refs := heads{"refs/heads/master": "c2", "refs/heads/main": gitpack.ZeroID}

	images := &shelf{engine: engine}
	table := router.New(router.Config{})
	defer table.Close()
	d := New(Config{Store: store, Builder: images, Engine: engine, Router: table, Refs: refs,
		AppsURL: &url.URL{Scheme: "http", Host: "example.com"}, Log: slog.New(slog.DiscardHandler)})
	spec, err := d.spec(state.App{Name: "my-app"}, dead, nil, formation[0])
	check(t, err)
	_, err = engine.Start(ctx, spec)
	check(t, err)

	check(t, d.Recover(ctx))
	defer d.Close()

	after, err := store.Deployment(ctx, dead.Deployment)
	check(t, err)
	if after.Status != state.Aborted {
		t.Errorf("the dead deployment reads %s", after.Status)
	}
	if refs["refs/heads/master"] != "c1" {
		t.Errorf("master is at %s, not at the commit that is live", refs["refs/heads/master"])
	}
	if diff := cmp.Diff([]string{dead.Image}, images.removed); diff != "" {
		t.Errorf("removed images:\n%s", diff)
	}
	groups, err := engine.Groups(ctx)
	check(t, err)
	if diff := cmp.Diff([]runner.Group{{App: "my-app", Release: "1", Type: "worker"}}, groups); diff != "" {
		t.Errorf("groups:\n%s", diff)
	}
	running, err := engine.List(ctx, runner.Selector{App: "my-app"})
	check(t, err)
	if len(running) != 2 {
		t.Errorf("%d containers of the live release run, want 2", len(running))
	}
	if routes := table.Routes(); len(routes) != 1 || routes[0].Release != "1" || !routes[0].Serving {
		t.Errorf("routes: %+v", routes)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
