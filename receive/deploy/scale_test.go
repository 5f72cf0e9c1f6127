package deploy

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"boathook/receive/apps"
	"boathook/receive/state"
	"boathook/runner"
)

// to is a wish that does not ask what there is.
func to(types ...state.ProcessType) apps.Wish {
	return func([]state.ProcessType, map[string]string) ([]state.ProcessType, error) { return types, nil }
}

// more is a wish for another container of a type.
func more(processType string) apps.Wish {
	return func(formation []state.ProcessType, _ map[string]string) ([]state.ProcessType, error) {
		at := slices.IndexFunc(formation, func(p state.ProcessType) bool { return p.Name == processType })
		p := formation[at]
		p.Amount++
		return []state.ProcessType{p}, nil
	}
}

// names are those of the app's containers, with their release.
func (s *stage) names() (names []string) {
	found, _ := s.engine.list(runner.Selector{App: "my-app"})
	for _, i := range found {
		names = append(names, i.Release+"/"+i.Name())
	}
	return names
}

// formationIs checks the stored formation.
func (s *stage) formationIs(want ...state.ProcessType) {
	s.t.Helper()
	got, err := s.store.Formation(s.t.Context(), "my-app")
	check(s.t, err)
	for i := range got {
		got[i].Command = ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// TestScalingsAtOnce scales twice by one while a deployment goes on that adds a type: all three count.
func TestScalingsAtOnce(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		hooked, goOn := make(chan struct{}), make(chan struct{})
		s.on("postdeploy", func() { close(hooked); <-goOn })
		ended := make(chan error, 3)
		go func() {
			_, err := s.deploy(t.Context(), map[string]string{"web": "listen", "clock": "tick", "postdeploy": "migrate"})
			ended <- err
		}()
		<-hooked
		for range 2 {
			go func() { ended <- s.d.Scale(t.Context(), "my-app", more("web"), silent) }()
		}
		synctest.Wait()
		close(goOn)
		for range 3 {
			check(t, <-ended)
		}
		synctest.Wait()
		s.formationIs(state.ProcessType{Name: "clock", Size: "M"}, state.ProcessType{Name: "web", Amount: 3, Size: "M"})
		if diff := cmp.Diff([]string{"2/web-1", "2/web-2", "2/web-3"}, s.names()); diff != "" {
			t.Errorf("containers (-want +got):\n%s", diff)
		}
	})
}

// TestWaitingIsTold has a scaling, a restart and the destruction wait for a deployment, and for each other: each is told, as a push is.
func TestWaitingIsTold(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		hooked, goOn := make(chan struct{}), make(chan struct{})
		s.on("postdeploy", func() { close(hooked); <-goOn })
		ended := make(chan error, 4)
		go func() {
			_, err := s.deploy(t.Context(), map[string]string{"web": "listen", "postdeploy": "migrate"})
			ended <- err
		}()
		<-hooked
		lines := make(chan string, 20)
		tell := func(line string) { lines <- line }
		for _, do := range []func() error{
			func() error { return s.d.Scale(t.Context(), "my-app", more("web"), tell) },
			func() error { return s.d.Restart(t.Context(), "my-app", nil, tell) },
			func() error { return s.d.Destroy(t.Context(), "my-app", tell) },
		} {
			go func() { ended <- do() }()
			synctest.Wait()
		}
		close(goOn)
		for range 4 {
			check(t, <-ended)
		}
		close(lines)
		told := map[string]bool{}
		for line := range lines {
			told[line] = true
		}
		want := map[string]bool{}
		for _, line := range []string{"deployment 2 of alice to finish, place 1", "deployment 2 of alice to finish, place 2", "deployment 2 of alice to finish, place 3",
			"the scaling of my-app to finish, place 1", "the scaling of my-app to finish, place 2", "the restart of my-app to finish, place 1"} {
			want["Waiting for "+line+" in the queue of my-app..."] = true
		}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

// TestScaleBeforeTheFirstRelease waits for the first deployment, whose formation is not overwritten and does not overwrite.
func TestScaleBeforeTheFirstRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, Limits{})
		defer s.close()
		check(t, s.d.Scale(t.Context(), "my-app", to(state.ProcessType{Name: "web", Amount: 2, Size: "L"}), silent))
		s.formationIs(state.ProcessType{Name: "web", Amount: 2, Size: "L"})
		_, err := s.deploy(t.Context(), map[string]string{"web": "listen"})
		check(t, err)
		if diff := cmp.Diff([]string{"1/web-1", "1/web-2"}, s.names()); diff != "" {
			t.Errorf("containers (-want +got):\n%s", diff)
		}
	})
}

// once makes the engine fail at the first of some equal events.
func (s *stage) once(event string, err error) {
	failure := err
	s.on(event, func() {
		s.engine.fail(event, failure)
		failure = nil
	})
}

// changes are the events since the last call by which containers come and go.
func (s *stage) changes() []string {
	return slices.DeleteFunc(s.take(), func(event string) bool {
		return !strings.HasPrefix(event, "start ") && !strings.HasPrefix(event, "stop ")
	})
}

// TestScaleThatFailsHalfway has the second of three types fail: the first is scaled and stored as it is, the others are what they were.
func TestScaleThatFailsHalfway(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		_, err := s.deploy(t.Context(), map[string]string{"web": "listen", "worker": "stay", "clock": "tick"})
		check(t, err)
		synctest.Wait()
		s.engine.fail("start worker-2", errors.New("no memory"))
		err = s.d.Scale(t.Context(), "my-app", to(state.ProcessType{Name: "web", Amount: 1, Size: "L"},
			state.ProcessType{Name: "worker", Amount: 2, Size: "S"}, state.ProcessType{Name: "clock", Amount: 1, Size: "M"}), silent)
		if err == nil || err.Error() != "worker is not scaled (scaled: web; not tried: clock): no memory" {
			t.Errorf("the error is %v", err)
		}
		s.formationIs(state.ProcessType{Name: "clock", Size: "M"}, state.ProcessType{Name: "web", Amount: 1, Size: "L"}, state.ProcessType{Name: "worker", Size: "M"})
		if diff := cmp.Diff([]string{"2/web-1"}, s.names()); diff != "" {
			t.Errorf("containers (-want +got):\n%s", diff)
		}
		if got := s.engine.spec("web").Limits; got != limitsOf("L") {
			t.Errorf("web has the limits %+v", got)
		}
	})
}

// TestRoll replaces two workers: one more is up before the first of them goes, and until the last one is replaced.
func TestRoll(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(ctx context.Context, d *Deployer) error
		size string
	}{
		{"restart", func(ctx context.Context, d *Deployer) error {
			return d.Restart(ctx, "my-app", []string{"worker"}, silent)
		}, "M"},
		{"resize", func(ctx context.Context, d *Deployer) error {
			return d.Scale(ctx, "my-app", to(state.ProcessType{Name: "worker", Amount: 2, Size: "L"}), silent)
		}, "L"},
	} {
		t.Run(test.name, func(t *testing.T) {
			withWorkers(t, func(t *testing.T, s *stage) {
				check(t, test.do(t.Context(), s.d))
				want := []string{"start worker-1002", "stop worker-1", "start worker-1", "stop worker-2", "start worker-2", "stop worker-1002"}
				if diff := cmp.Diff(want, s.changes()); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				s.workersAre(test.size)
			})
		})
	}
}

// TestOutputOfARollThatFails: what a container prints drives no terminal and tells no value, and the audit has none of it.
func TestOutputOfARollThatFails(t *testing.T) {
	withWorkers(t, func(t *testing.T, s *stage) {
		check(t, s.store.SetVariables(t.Context(), "my-app", map[string]string{"TOKEN": "a-secret-value"}))
		s.engine.said = "\x1b]0;mine\x07\x1b[2Jno way in with a-secret-value\r\n\x1b[31mred\u009b2J\n"
		s.on("start worker-1002", func() { time.AfterFunc(time.Second, func() { s.engine.endNumber(1002) }) })
		err := s.d.Restart(t.Context(), "my-app", nil, silent)
		if err == nil {
			t.Fatal("it did not fail")
		}
		const want = "worker is not restarted. Your application has stopped unexpectedly with the following output:\nno way in with [masked]\n\x1b[31mred2J"
		if err.Error() != want {
			t.Errorf("the error is\n%q, want\n%q", err.Error(), want)
		}
		var recorded interface{ Reason() string }
		if !errors.As(err, &recorded) || recorded.Reason() != "crashed-error" {
			t.Errorf("recorded as %v", recorded)
		}
	})
}

// TestRollThatFails ends a resizing of two workers in every way in which it can end: they are what they were.
func TestRollThatFails(t *testing.T) {
	broken := errors.New("no memory")
	for _, test := range []struct {
		name   string
		spoil  func(s *stage, giveUp func())
		events []string
		text   string
	}{
		{"the extra one does not start", func(s *stage, _ func()) { s.engine.fail("start worker-1002", broken) },
			[]string{"start worker-1002"}, "worker is not scaled: no memory"},
		{"the extra one ends while it is waited for", func(s *stage, _ func()) {
			s.on("start worker-1002", func() { time.AfterFunc(time.Second, func() { s.engine.endNumber(1002) }) })
		}, []string{"start worker-1002", "stop worker-1002"}, "worker is not scaled. Your application has stopped unexpectedly"},
		{"the first replacement does not start", func(s *stage, _ func()) { s.once("start worker-1", broken) },
			[]string{"start worker-1002", "stop worker-1", "start worker-1", "start worker-1", "stop worker-1002"}, "worker is not scaled: no memory"},
		{"the second replacement does not start", func(s *stage, _ func()) { s.once("start worker-2", broken) },
			[]string{"start worker-1002", "stop worker-1", "start worker-1", "stop worker-2", "start worker-2",
				"stop worker-1", "start worker-1", "start worker-2", "stop worker-1002"}, "worker is not scaled: no memory"},
		{"the caller gives up", func(s *stage, giveUp func()) { s.on("stop worker-2", giveUp) },
			[]string{"start worker-1002", "stop worker-1", "start worker-1", "stop worker-2",
				"stop worker-1", "start worker-1", "start worker-2", "stop worker-1002"}, "worker is not scaled: context canceled"},
	} {
		t.Run(test.name, func(t *testing.T) {
			withWorkers(t, func(t *testing.T, s *stage) {
				ctx, giveUp := context.WithCancel(t.Context())
				defer giveUp()
				test.spoil(s, giveUp)
				err := s.d.Scale(ctx, "my-app", to(state.ProcessType{Name: "worker", Amount: 2, Size: "L"}), silent)
				if err == nil || !strings.HasPrefix(err.Error(), test.text) {
					t.Errorf("the error is %v", err)
				}
				if diff := cmp.Diff(test.events, s.changes()); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				s.workersAre("M")
			})
		})
	}
}

// withWorkers is onStage with two workers in version 2.
func withWorkers(t *testing.T, test func(t *testing.T, s *stage)) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		check(t, s.store.SetFormation(t.Context(), "my-app", []state.ProcessType{{Name: "worker", Amount: 2, Size: "M"}}))
		_, err := s.deploy(t.Context(), map[string]string{"web": "listen", "worker": "stay"})
		check(t, err)
		synctest.Wait()
		s.take()
		test(t, s)
	})
}

// workersAre checks that there are two workers of a size, running and stored.
func (s *stage) workersAre(size string) {
	s.t.Helper()
	s.formationIs(state.ProcessType{Name: "web", Amount: 1, Size: "M"}, state.ProcessType{Name: "worker", Amount: 2, Size: size})
	if diff := cmp.Diff([]string{"2/web-1", "2/worker-1", "2/worker-2"}, s.names()); diff != "" {
		s.t.Errorf("containers (-want +got):\n%s", diff)
	}
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	for _, i := range s.engine.instances {
		if limits := s.engine.limits[i.ID]; i.Type == "worker" && limits != limitsOf(size) {
			s.t.Errorf("%s has the limits %+v, not those of %s", i.Name(), limits, size)
		}
	}
}
