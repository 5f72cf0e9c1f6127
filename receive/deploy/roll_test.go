package deploy

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRollThatCannotBePutBack: when nothing else of a restart is left, the extra container serves on, until the reconciler has made good what failed.
func TestRollThatCannotBePutBack(t *testing.T) {
	broken := errors.New("no memory")
	for _, test := range []struct {
		name  string
		event string // that fails
		also  func(s *stage)
	}{
		{"no container starts", "start web-1", func(*stage) {}},
		{"an ended container is not removed", "stop web-1", func(s *stage) { s.engine.endNumber(1) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			onStage(t, Limits{}, func(t *testing.T, s *stage) {
				s.engine.fail(test.event, broken)
				s.on(test.event, func() { test.also(s) })
				if err := s.d.Restart(t.Context(), "my-app", nil, silent); !errors.Is(err, broken) {
					t.Fatalf("the restart: %v", err)
				}
				if targets := s.targets(); !cmp.Equal(targets, []string{"web-1001"}) {
					t.Fatalf("served by %v", targets)
				}
				if _, err := s.d.reconciler.repair(t.Context(), "my-app"); !errors.Is(err, broken) {
					t.Errorf("the repair: %v", err)
				}
				if targets := s.targets(); !cmp.Equal(targets, []string{"web-1001"}) {
					t.Fatalf("after a repair that fails served by %v", targets)
				}
				s.engine.fail(test.event, nil)
				for range 2 { // the second one finds web-1 at work
					time.Sleep(time.Minute) // of the bubble's clock
					_, err := s.d.reconciler.repair(t.Context(), "my-app")
					check(t, err)
					check(t, s.d.routes.refresh(t.Context(), "my-app"))
				}
				if targets, names := s.targets(), s.names(); !cmp.Equal(targets, []string{"web-1"}) || !cmp.Equal(names, []string{"1/web-1"}) {
					t.Errorf("after the repairs there are %v, of which %v serve", names, targets)
				}
			})
		})
	}
}

// targets are the names of the containers that serve my-app.
func (s *stage) targets() (names []string) {
	for _, route := range s.router.Routes() {
		for _, target := range route.Targets {
			names = append(names, target.Name)
		}
	}
	return names
}

// TestContainerThatStays: one that the engine fails to stop gets requests again.
func TestContainerThatStays(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		broken := errors.New("the engine is busy")
		s.engine.fail("stop web-1", broken)
		if err := s.d.Restart(t.Context(), "my-app", nil, silent); !errors.Is(err, broken) {
			t.Errorf("the restart: %v", err)
		}
		if targets, names := s.targets(), s.names(); !cmp.Equal(targets, []string{"web-1"}) || !cmp.Equal(names, []string{"1/web-1"}) {
			t.Errorf("there are %v, of which %v serve", names, targets)
		}
	})
}

// TestRollWhoseExtraOneStays: all are replaced, so it is a success, and the reconciler removes what is left over.
func TestRollWhoseExtraOneStays(t *testing.T) {
	withWorkers(t, func(t *testing.T, s *stage) {
		s.engine.fail("stop worker-1002", errors.New("the engine is busy"))
		check(t, s.d.Restart(t.Context(), "my-app", []string{"worker"}, silent))
		s.engine.fail("stop worker-1002", nil)
		time.Sleep(time.Minute) // of the bubble's clock
		_, err := s.d.reconciler.repair(t.Context(), "my-app")
		check(t, err)
		s.workersAre("M")
	})
}

// TestOneThatCannotBeRemoved keeps its own slot empty, and no other.
func TestOneThatCannotBeRemoved(t *testing.T) {
	withWorkers(t, func(t *testing.T, s *stage) {
		broken := errors.New("the engine is busy")
		s.engine.fail("stop worker-1", broken)
		s.engine.endNumber(1) // web's as well
		s.engine.endNumber(2)
		s.take()
		if _, err := s.d.reconciler.repair(t.Context(), "my-app"); !errors.Is(err, broken) {
			t.Errorf("the repair: %v", err)
		}
		started := map[string]bool{}
		for _, event := range s.changes() {
			started[event] = true
		}
		want := map[string]bool{"stop web-1": true, "start web-1": true, "stop worker-1": true, "stop worker-2": true, "start worker-2": true}
		if diff := cmp.Diff(want, started); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// TestBusy: a restart counts as work under way, also while it waits.
func TestBusy(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		starting, goOn := make(chan struct{}), make(chan struct{})
		s.on("start web-1001", func() { close(starting); <-goOn })
		ended := make(chan error)
		go func() { ended <- s.d.Restart(t.Context(), "my-app", nil, silent) }()
		<-starting
		if !s.d.Busy() {
			t.Error("a restart is no work")
		}
		close(goOn)
		check(t, <-ended)
		synctest.Wait()
		if s.d.Busy() {
			t.Error("busy after it")
		}
	})
}
