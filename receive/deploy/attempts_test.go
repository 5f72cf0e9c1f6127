package deploy

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"boathook/receive/state"
)

// TestCancel cancels a deployment at each step before the switch: it ends as an abort, the pusher is told by whom, and nothing is left.
func TestCancel(t *testing.T) {
	for _, test := range []struct {
		event string
		types map[string]string
	}{
		{"build 2", map[string]string{"web": "listen", "hang": ""}},
		{"release", map[string]string{"web": "listen", "release": "hang"}},
		{"start web-1", map[string]string{"web": "deaf"}},
		{"postdeploy", map[string]string{"web": "listen", "postdeploy": "hang"}},
	} {
		t.Run(test.event, func(t *testing.T) {
			onStage(t, Limits{}, func(t *testing.T, s *stage) {
				cancelled := make(chan error, 1)
				s.on(test.event, func() {
					go func() { cancelled <- s.d.CancelDeployment(t.Context(), "my-app", 0, "bob") }()
				})
				out, err := s.deploy(t.Context(), test.types)
				var failure *Failure
				if !errors.As(err, &failure) || failure.Status != state.Aborted {
					t.Errorf("ended with %v", err)
				}
				if !strings.Contains(out, " !   → Deployment 2 was cancelled by bob\n") {
					t.Errorf("the pusher saw\n%s", out)
				}
				check(t, <-cancelled)
				s.untouched(t, state.Aborted)
			})
		})
	}
}

// TestCancelTooLate: what has begun to go live does so, and what has ended has ended.
func TestCancelTooLate(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		refused := func(app string, id int64, want string) {
			t.Helper()
			if err := s.d.CancelDeployment(t.Context(), app, id, "bob"); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("cancel %d of %s: %v, want %q", id, app, err, want)
			}
		}
		s.on("publish", func() {
			refused("my-app", 0, "deployment 2 of my-app is going live already")
			refused("other-app", 2, "deployment 2 of other-app is not under way")
			refused("other-app", 0, "no deployment of other-app is under way")
		})
		_, err := s.deploy(t.Context(), map[string]string{"web": "listen"})
		check(t, err)
		refused("my-app", 2, "deployment 2 of my-app is not under way")
		refused("my-app", 0, "no deployment of my-app is under way")
	})
}

// TestCancelInTheQueue cancels the one that waits, and not the one it waits for.
func TestCancelInTheQueue(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		finish := make(chan struct{})
		s.on("publish", func() { <-finish })
		ended := make(chan error)
		for range 2 {
			go func() {
				_, err := s.deploy(t.Context(), map[string]string{"web": "listen"})
				ended <- err
			}()
			synctest.Wait()
		}
		check(t, errors.Join(asFailure(s.d.CancelDeployment(t.Context(), "my-app", 3, "bob"), <-ended)))
		close(finish)
		check(t, <-ended)
	})
}

// asFailure wants the first to be none and the second an abort.
func asFailure(cancel, deployment error) error {
	var failure *Failure
	if cancel != nil || !errors.As(deployment, &failure) || failure.Status != state.Aborted {
		return errors.Join(errors.New("not cancelled"), cancel, deployment)
	}
	return nil
}

// TestFollow reads along with the pusher: the same text, from the beginning, whenever one joins; and the cache stays while a build may need it.
func TestFollow(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		early, late := make(chan string, 2), make(chan string, 2) // the next deployment has these moments too
		var following sync.WaitGroup
		defer following.Wait()
		follow := func(to chan string) {
			var log strings.Builder
			if err := s.d.FollowDeployment(t.Context(), 2, &log); err != nil {
				t.Error(err)
			}
			to <- log.String()
		}
		s.on("build 2", func() {
			following.Go(func() { follow(early) })
			if err := s.d.DeleteCache(t.Context(), "my-app"); err == nil || !strings.Contains(err.Error(), "the build cache of my-app is in use") {
				t.Errorf("the cache is deleted under a build: %v", err)
			}
		})
		s.on("publish", func() { following.Go(func() { follow(late) }) })
		out, err := s.deploy(t.Context(), map[string]string{"web": "listen", "postdeploy": "ok"})
		check(t, err)
		if got := <-early; got != out {
			t.Errorf("who followed from the beginning saw\n%s\nthe pusher\n%s", got, out)
		}
		if got := <-late; got != out {
			t.Errorf("who joined at the end saw\n%s\nthe pusher\n%s", got, out)
		}
		var log strings.Builder
		check(t, s.d.FollowDeployment(t.Context(), 2, &log))
		if log.String() != out {
			t.Errorf("after its end:\n%s", &log)
		}
		why := errors.New("it is over")
		ctx, leave := context.WithCancelCause(t.Context())
		leave(why)
		s.on("build 3", func() {
			if err := s.d.FollowDeployment(ctx, 3, &log); !errors.Is(err, why) {
				t.Errorf("who left: %v", err)
			}
		})
		_, err = s.deploy(t.Context(), map[string]string{"web": "listen"})
		check(t, err)
	})
}

// TestFollowBeforeItBegins follows a deployment in the moment in which it has a record, and is not under way yet.
func TestFollowBeforeItBegins(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		record, err := s.store.CreateDeployment(t.Context(), state.Deployment{App: "my-app", Pusher: "alice"})
		check(t, err)
		var log strings.Builder
		followed := make(chan error, 1)
		go func() { followed <- s.d.FollowDeployment(t.Context(), record.ID, &log) }()
		synctest.Wait()
		_, end := s.d.attempts.begin(t.Context(), record)
		time.Sleep(2 * followEvery)
		check(t, errors.Join(s.store.AppendLog(t.Context(), record.ID, []byte("a line\n")), s.store.SetStatus(t.Context(), record.ID, state.Aborted, "cancelled")))
		end()
		check(t, <-followed)
		if log.String() != "a line\n" {
			t.Errorf("followed %q", log.String())
		}
	})
}
