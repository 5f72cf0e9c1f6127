package deploy

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"boathook/receive/apps"
	"boathook/receive/state"
	"boathook/router"
	"boathook/runner"
)

func (s scribe) Rename(from string, route router.Route) *router.Drain {
	s.stage.event("serve %s in place of %s", route.App, from)
	return s.Router.Rename(from, route)
}

// commitName is what package apps does, without a repository.
func (s *stage) commitName(ctx context.Context) error {
	s.event("commit")
	if s.refused != nil {
		return s.refused
	}
	return s.store.RenameApp(ctx, "my-app", "new-app", state.AuditEntry{App: "new-app", Action: state.RenamedFrom + "my-app", Result: "ok"})
}

func TestRename(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		ctx := t.Context()
		check(t, s.store.AddDomain(ctx, "my-app", "www.example.org"))
		check(t, s.d.Reroute(ctx, "my-app"))
		s.take()
		check(t, s.d.Rename(ctx, "my-app", "new-app", s.commitName))
		synctest.Wait()
		want := []string{"start web-1", "delete the cache", "commit", "serve new-app in place of my-app", "keep 1", "serve 1", "remove 1 after 30s"}
		if diff := cmp.Diff(want, s.take()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if env := s.engine.spec(web).Env; env["APP"] != "new-app" {
			t.Errorf("environment %v", env)
		}
		routes := s.router.Routes()
		if len(routes) != 1 || routes[0].App != "new-app" || !cmp.Equal(routes[0].Hosts, []string{"new-app.example.com", "www.example.org"}) || len(routes[0].Targets) != 1 {
			t.Errorf("routes %+v", routes)
		}
		if all, _ := s.engine.list(runner.Selector{}); len(all) != 1 || all[0].App != "new-app" {
			t.Errorf("containers %+v", all)
		}
		if s.d.Busy() {
			t.Error("busy after it")
		}
		if _, ok := s.d.queue.try("my-app", "alice", "another app's deployment"); !ok {
			t.Error("the old name is still taken")
		}
	})
}

// TestRenameOfWhatNeverRan has nothing to start.
func TestRenameOfWhatNeverRan(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		_, err := s.store.CreateApp(t.Context(), "idle-app", "alice")
		check(t, err)
		check(t, s.d.Rename(t.Context(), "idle-app", "new-app", func(context.Context) error { s.event("commit"); return nil }))
		synctest.Wait()
		if diff := cmp.Diff([]string{"delete the cache", "commit"}, s.take()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// TestRenameThatFails: whatever ends it, the app serves as it did, and nothing of the new name is left.
func TestRenameThatFails(t *testing.T) {
	for _, test := range []struct {
		name string
		by   func(t *testing.T, s *stage) context.Context
		want string
	}{
		{"a start", func(t *testing.T, s *stage) context.Context {
			s.engine.fail("start web-1", errors.New("no room"))
			return t.Context()
		}, "my-app is not renamed. Your application could not be started"},
		{"a commit", func(t *testing.T, s *stage) context.Context {
			s.refused = errors.New("the name new-app is taken: choose another")
			return t.Context()
		}, "my-app is not renamed: the name new-app is taken: choose another"},
		{"who asked for it, by leaving", func(t *testing.T, s *stage) context.Context {
			ctx, leave := context.WithCancel(t.Context())
			s.on("start web-1", leave)
			return ctx
		}, "my-app is not renamed: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			onStage(t, Limits{}, func(t *testing.T, s *stage) {
				err := s.d.Rename(test.by(t, s), "my-app", "new-app", s.commitName)
				if err == nil || !strings.HasPrefix(err.Error(), test.want) {
					t.Errorf("%v, want %q", err, test.want)
				}
				synctest.Wait()
				if routes := s.router.Routes(); len(routes) != 1 || routes[0].App != "my-app" {
					t.Errorf("routes %+v", routes)
				}
				if all, _ := s.engine.list(runner.Selector{}); len(all) != 1 || all[0].App != "my-app" {
					t.Errorf("containers %+v", all)
				}
				s.refused = nil
				s.engine.fail("start web-1", nil)
				_, err = s.deploy(t.Context(), map[string]string{"web": "listen"})
				check(t, err) // its turn has come
			})
		})
	}
}

// TestRenameBesideOneOffs: who works in one is not disturbed, and nobody begins to while the app gets its name.
func TestRenameBesideOneOffs(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		run := func(ctx context.Context, detached bool) error {
			_, err := s.d.Run(ctx, "my-app", apps.OneOff{Command: "hang", Size: "M", Detached: detached, Streams: apps.Streams{Out: io.Discard, Err: io.Discard}, Started: func(string) {}})
			return err
		}
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- run(ctx, false) }()
		synctest.Wait()
		if err := s.d.Rename(t.Context(), "my-app", "new-app", s.commitName); err == nil || !strings.Contains(err.Error(), "somebody works in one-off-") {
			t.Errorf("beside an attached one: %v", err)
		}
		leave()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the one-off: %v", err)
		}
		for _, at := range []string{"start web-1", "remove 1 after 30s"} {
			s.on(at, func() {
				for _, detached := range []bool{false, true} {
					if err := run(t.Context(), detached); err == nil || !strings.Contains(err.Error(), "is being renamed") && !errors.Is(err, state.ErrNotFound) {
						t.Errorf("begun at %q: %v", at, err)
					}
				}
			})
		}
		check(t, s.d.Rename(t.Context(), "my-app", "new-app", s.commitName))
		synctest.Wait()
		if all, _ := s.engine.list(runner.Selector{}); len(all) != 1 || all[0].App != "new-app" {
			t.Errorf("containers %+v", all)
		}
	})
}

// TestRenameTakesTurns: it is refused while anybody is at work on one of the names, also until the last container of the old name is gone.
func TestRenameTakesTurns(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		leave, _ := s.d.queue.try("my-app", "alice", "deployment 2")
		if err := s.d.Rename(t.Context(), "my-app", "new-app", s.commitName); err == nil || !strings.Contains(err.Error(), "my-app is at work: ") {
			t.Errorf("during a deployment: %v", err)
		}
		leave()
		leave, _ = s.d.queue.try("new-app", "bob", "deployment 3")
		if err := s.d.Rename(t.Context(), "my-app", "new-app", s.commitName); err == nil || !strings.Contains(err.Error(), "the name new-app is in use") {
			t.Errorf("during a deployment of the other name: %v", err)
		}
		leave()
		stopping := make(chan struct{})
		s.on("remove 1 after 30s", func() { <-stopping })
		check(t, s.d.Rename(t.Context(), "my-app", "new-app", s.commitName))
		synctest.Wait()
		if _, ok := s.d.queue.try("my-app", "bob", "deployment 4"); ok {
			t.Error("the old name can be deployed to while its containers stop")
		}
		if leave, ok := s.d.queue.try("new-app", "alice", "deployment 5"); !ok {
			t.Error("the new name cannot be deployed to")
		} else {
			leave()
		}
		close(stopping)
		time.Sleep(time.Minute) // of the bubble's clock
	})
}
