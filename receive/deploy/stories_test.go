package deploy

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"boathook/receive/state"
)

func TestCancel(t *testing.T) {
	for at, types := range map[string]map[string]string{
		"build 2":     {"hang": ""},
		"start web-1": {"web": "deaf"},
		"hook":        {"web": "listen", "postdeploy": "hang"},
	} {
		t.Run(at, func(t *testing.T) {
			onStage(t, Limits{}, func(t *testing.T, s *stage) {
				var asking sync.WaitGroup
				s.on(at, func() {
					asking.Go(func() {
						if id, err := s.d.Cancel(t.Context(), "my-app", 0, "lily"); id != 2 || err != nil {
							t.Errorf("cancelled %d, %v", id, err)
						}
					})
				})
				out, err := s.deploy(t.Context(), types)
				var failure *Failure
				if !errors.As(err, &failure) || failure.Status != state.Aborted || !strings.Contains(out, "The deployment was cancelled by lily") {
					t.Errorf("ended with %v: %s", err, out)
				}
				asking.Wait()
				s.untouched(t, state.Aborted)
			})
		})
	}
}

func TestCancelTooLate(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		s.on("publish", func() {
			if _, err := s.d.Cancel(t.Context(), "my-app", 2, "lily"); err == nil || !strings.Contains(err.Error(), "cannot be cancelled any more: 'rollback my-app'") {
				t.Errorf("cancelled in the switch: %v", err)
			}
		})
		if _, err := s.deploy(t.Context(), map[string]string{"web": "listen"}); err != nil {
			t.Errorf("it was not finished: %v", err)
		}
		if _, err := s.d.Cancel(t.Context(), "my-app", 2, "lily"); err == nil || !strings.Contains(err.Error(), "is not under way") {
			t.Errorf("cancelled after its end: %v", err)
		}
	})
}

// TestCancelQueued cancels the one that waits; the one before it goes on.
func TestCancelQueued(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		var second sync.WaitGroup
		s.on("hook", func() {
			second.Go(func() {
				if out, err := s.deploy(t.Context(), map[string]string{"web": "listen"}); err == nil || !strings.Contains(out, "cancelled by bob") {
					t.Errorf("ended with %v: %s", err, out)
				}
			})
			for {
				if _, err := s.d.stories.find("my-app", 3); err == nil {
					break
				}
				_ = untilStayed(t.Context(), firstPause) // virtual
			}
			if err := s.d.DeleteCache(t.Context(), "my-app"); err == nil || !strings.Contains(err.Error(), "in use") {
				t.Errorf("cache deleted: %v", err)
			}
			if _, err := s.d.Cancel(t.Context(), "my-app", 3, "bob"); err != nil {
				t.Error(err)
			}
		})
		if _, err := s.deploy(t.Context(), map[string]string{"web": "listen", "postdeploy": "work"}); err != nil {
			t.Errorf("the first: %v", err)
		}
		second.Wait()
	})
}

// TestFollow has somebody come in the middle: he sees what the pusher sees, all of it, and how it ends.
func TestFollow(t *testing.T) {
	for types, want := range map[string]string{"listen": "", "fail": "deployment 2 of my-app: hook-error"} {
		onStage(t, Limits{}, func(t *testing.T, s *stage) {
			var seen bytes.Buffer
			var watching sync.WaitGroup
			s.on("hook", func() {
				watching.Go(func() {
					err := s.d.Follow(t.Context(), "my-app", &seen)
					if (err == nil) != (want == "") || err != nil && err.Error() != want {
						t.Errorf("ended with %v, want %q", err, want)
					}
				})
				gone, leave := context.WithCancel(t.Context())
				leave()
				if err := s.d.Follow(gone, "my-app", &bytes.Buffer{}); !errors.Is(err, context.Canceled) {
					t.Errorf("without a reader: %v", err)
				}
			})
			out, _ := s.deploy(t.Context(), map[string]string{"web": "listen", "postdeploy": types})
			watching.Wait()
			if seen.String() != out || out == "" {
				t.Errorf("the pusher saw\n%s\nthe follower\n%s", out, seen.String())
			}
			if err := s.d.Follow(t.Context(), "my-app", &seen); err == nil || !strings.Contains(err.Error(), "no deployment of my-app is under way: 'deployment-logs my-app'") {
				t.Errorf("nothing to follow: %v", err)
			}
		})
	}
}
