package deploy

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
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

// onStage runs a test in a bubble, with version 1 of the app live.
func onStage(t *testing.T, limits Limits, test func(t *testing.T, s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, limits)
		defer s.close()
		out, err := s.deploy(t.Context(), map[string]string{"web": "listen"})
		if err != nil {
			t.Fatalf("version 1: %v\n%s", err, out)
		}
		synctest.Wait()
		s.take()
		test(t, s)
	})
}

// TestStory is the main job: what happens, in which order, what is recorded, and what the pusher sees.
func TestStory(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		check(t, s.store.SetFormation(t.Context(), "my-app", []state.ProcessType{{Name: "web", Amount: 2, Size: "M"}}))
		out, err := s.deploy(t.Context(), map[string]string{"web": "listen", "worker": "work", "release": "expand", "postdeploy": "migrate"})
		check(t, err)
		synctest.Wait() // the old version is retired behind the pusher's back
		want := []string{"build 2", "release", "start web-1", "start web-2", "postdeploy", "publish", "serve 2", "keep 2", "remove 1 after 30s"}
		if diff := cmp.Diff(want, s.take()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		record, err := s.store.Deployment(t.Context(), 2)
		check(t, err)
		var statuses []state.Status
		for _, transition := range record.Transitions {
			statuses = append(statuses, transition.Status)
		}
		if diff := cmp.Diff([]state.Status{state.Queued, state.Building, state.Pushing, state.Starting, state.Success}, statuses); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
		for _, phase := range []string{"queue", "build", "ship", "release", "start", "wait", "postdeploy", "switch"} {
			if _, measured := record.Phases[phase]; !measured {
				t.Errorf("the phase %s was not measured", phase)
			}
		}
		const transcript = ` <-- Start deployment of my-app -->
 Build complete, shipping your container...
-----> Running release hook: expand
       [release-2] migrated
 Waiting for your application to boot...
-----> Running postdeploy hook: migrate
       [postdeploy-2] migrated
 <-- http://my-app.example.com -->
`
		var stored strings.Builder
		_, err = s.store.WriteLog(t.Context(), 2, 0, &stored)
		check(t, err)
		if out != transcript || stored.String() != transcript {
			t.Errorf("the pusher saw\n%s\nstored is\n%s", out, &stored)
		}
	})
}

// TestFailures ends a deployment in every way in which an app can end it. Nothing of the new version is left, and nobody has touched
// the old one.
func TestFailures(t *testing.T) {
	for _, test := range []struct {
		name   string
		types  map[string]string
		status state.Status
		text   string        // what the pusher sees behind " !   → "
		took   time.Duration // at least; to the second, as what the fakes do takes no time
	}{
		{"the build fails", map[string]string{"fail": "Invalid return code from buildpack"}, state.BuildError, "Invalid return code from buildpack", 0},
		{"web never listens", map[string]string{"web": "deaf"}, state.TimeoutError, "Timeout: my-app took more than 60 seconds to boot", time.Minute},
		{"web ends while it starts", map[string]string{"web": "die"}, state.CrashedError, "Your application has stopped unexpectedly with the following output:", time.Second},
		{"a worker ends while web is waited for", map[string]string{"web": "deaf", "worker": "die"}, state.CrashedError, "Your application has stopped unexpectedly with the following output:", time.Second},
		{"a worker ends while the hook runs", map[string]string{"web": "listen", "worker": "die", "postdeploy": "hang"}, state.CrashedError, "Your application has stopped unexpectedly with the following output:", time.Second},
		{"the release hook fails", map[string]string{"web": "listen", "release": "fail"}, state.HookError, "Release hook failed with status '7'", 0},
		{"the release hook takes too long", map[string]string{"web": "listen", "release": "hang"}, state.HookError, "Release hook took more than 20m0s", 20 * time.Minute},
		{"the hook fails", map[string]string{"web": "listen", "postdeploy": "fail"}, state.HookError, "Postdeploy hook failed with status '7'", 0},
		{"the hook takes too long", map[string]string{"web": "listen", "postdeploy": "hang"}, state.HookError, "Postdeploy hook took more than 20m0s", 20 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			onStage(t, Limits{Grace: time.Millisecond}, func(t *testing.T, s *stage) {
				check(t, s.store.SetFormation(t.Context(), "my-app", []state.ProcessType{{Name: "web", Amount: 1, Size: "M"}, {Name: "worker", Amount: 1, Size: "M"}}))
				if test.types["worker"] == "" && test.types["web"] != "" {
					test.types["worker"] = "work"
				}
				begin := time.Now()
				out, err := s.deploy(t.Context(), test.types)
				var failure *Failure
				if !errors.As(err, &failure) || failure.Status != test.status {
					t.Fatalf("ended with %v, want %s\n%s", err, test.status, out)
				}
				if took := time.Since(begin).Truncate(time.Second); took != test.took {
					t.Errorf("took %s, want %s", took, test.took)
				}
				for _, line := range []string{" !   Error deploying the application\n", " !   → " + test.text + "\n", " !   The previous version keeps running.\n"} {
					if !strings.Contains(out, line) {
						t.Errorf("the pusher did not see %q in\n%s", line, out)
					}
				}
				if test.status == state.CrashedError && !strings.Contains(out, "       no database\n") {
					t.Errorf("no last output in\n%s", out)
				}
				s.untouched(t, test.status)
			})
		})
	}
}

// reticent is an engine that tells no changes.
type reticent struct{ runner.Engine }

func (reticent) Watch(ctx context.Context, _ runner.Selector) (<-chan []runner.Instance, error) {
	snapshots := make(chan []runner.Instance)
	context.AfterFunc(ctx, func() { close(snapshots) })
	return snapshots, nil
}

// TestCrashThatIsNotTold has an app crash that is waited for, which the engine does not tell before the time to boot is over.
func TestCrashThatIsNotTold(t *testing.T) {
	onStage(t, Limits{Grace: time.Millisecond}, func(t *testing.T, s *stage) {
		s.d.Engine = reticent{s.d.Engine}
		out, err := s.deploy(t.Context(), map[string]string{"web": "die"})
		var failure *Failure
		if !errors.As(err, &failure) || failure.Status != state.CrashedError || !strings.Contains(out, "       no database\n") {
			t.Errorf("ended with %v\n%s", err, out)
		}
		s.untouched(t, state.CrashedError)
	})
}

// untouched checks that version 1 serves, and that nothing is left of version 2.
func (s *stage) untouched(t *testing.T, status state.Status) {
	t.Helper()
	synctest.Wait()
	events := s.take()
	for _, event := range events {
		if strings.HasPrefix(event, "serve") || strings.HasPrefix(event, "remove 1") || strings.HasPrefix(event, "keep") || event == "publish" && !slices.Contains(events, "revert") && s.refused == nil {
			t.Errorf("what serves was touched: %s", event)
		}
	}
	built := slices.Contains(events, "build 2") && status != state.BuildError
	if left, _ := s.engine.list(runner.Selector{Release: "2"}); len(left) > 0 || built && slices.ContainsFunc(events, func(e string) bool { return strings.HasPrefix(e, "start") || isHook(e) }) && !slices.Contains(events, "discard image-2") {
		t.Errorf("left: %v, after %v", left, events)
	}
	if live, _ := s.engine.list(runner.Selector{Release: "1"}); len(live) != 1 {
		t.Errorf("of version 1 runs %v", live)
	}
	if routes := s.router.Routes(); len(routes) != 1 || routes[0].Release != "1" {
		t.Errorf("served is %+v", routes)
	}
	record, err := s.store.Deployment(t.Context(), 2)
	check(t, err)
	app, err := s.store.App(t.Context(), "my-app")
	check(t, err)
	if record.Status != status || app.Live != 1 {
		t.Errorf("the deployment reads %s, live is %d", record.Status, app.Live)
	}
	if releases, err := s.store.Releases(t.Context(), "my-app"); err != nil || len(releases) != 1 {
		t.Errorf("releases: %v, %v", releases, err)
	}
}

// TestAbort has the pusher go away at each step.
func TestAbort(t *testing.T) {
	for _, test := range []struct {
		at    string
		types map[string]string
	}{
		{"build 2", map[string]string{"hang": ""}},
		{"release", map[string]string{"web": "listen", "release": "hang"}},
		{"start web-1", map[string]string{"web": "deaf"}}, // and is waited for
		{"postdeploy", map[string]string{"web": "listen", "postdeploy": "hang"}},
	} {
		t.Run(test.at, func(t *testing.T) {
			onStage(t, Limits{}, func(t *testing.T, s *stage) {
				ctx, leave := context.WithCancel(t.Context())
				s.on(test.at, leave)
				_, err := s.deploy(ctx, test.types)
				var failure *Failure
				if !errors.As(err, &failure) || failure.Status != state.Aborted {
					t.Fatalf("ended with %v", err)
				}
				s.untouched(t, state.Aborted)
			})
		})
	}
	t.Run("the switch has begun", func(t *testing.T) {
		onStage(t, Limits{}, func(t *testing.T, s *stage) {
			ctx, leave := context.WithCancel(t.Context())
			s.on("publish", leave)
			if _, err := s.deploy(ctx, map[string]string{"web": "listen"}); err != nil {
				t.Errorf("it was not finished: %v", err)
			}
			if routes := s.router.Routes(); len(routes) != 1 || routes[0].Release != "2" {
				t.Errorf("served is %+v", routes)
			}
		})
	})
}

// TestAbortInTheQueue: who goes away while another deployment is under way was never in; those before and behind him do not notice.
func TestAbortInTheQueue(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		finish := make(chan struct{})
		s.on("publish", func() { <-finish })
		ended := make(chan error)
		deploy := func(ctx context.Context) {
			_, err := s.deploy(ctx, map[string]string{"web": "listen"})
			ended <- err
		}
		ctx, leave := context.WithCancel(t.Context())
		for _, ctx := range []context.Context{t.Context(), ctx, t.Context()} {
			go deploy(ctx)
			synctest.Wait() // the order in the queue
		}
		leave()
		var failure *Failure
		if err := <-ended; !errors.As(err, &failure) || failure.Status != state.Aborted {
			t.Errorf("who left: %v", err)
		}
		close(finish)
		check(t, errors.Join(<-ended, <-ended))
		synctest.Wait()
		events := s.take()
		if slices.Contains(events, "build 3") || !slices.Contains(events, "build 4") {
			t.Errorf("events: %q", events)
		}
		for id, status := range map[int64]state.Status{2: state.Success, 3: state.Aborted, 4: state.Success} {
			record, err := s.store.Deployment(t.Context(), id)
			check(t, err)
			if record.Status != status {
				t.Errorf("deployment %d reads %s", id, record.Status)
			}
		}
	})
}

// TestSwitchThatCannotBeRecorded fails at the last moment: the old version goes on, and what was published is taken back.
func TestSwitchThatCannotBeRecorded(t *testing.T) {
	t.Run("publish", func(t *testing.T) {
		onStage(t, Limits{}, func(t *testing.T, s *stage) {
			s.refused = errors.New("disk full")
			if _, err := s.deploy(t.Context(), map[string]string{"web": "listen"}); err == nil {
				t.Error("a push that was not published is a success")
			}
			s.untouched(t, state.Aborted)
		})
	})
	t.Run("record", func(t *testing.T) {
		onStage(t, Limits{}, func(t *testing.T, s *stage) {
			s.spoil(t, "CREATE TRIGGER spoiled BEFORE UPDATE OF live ON apps BEGIN SELECT RAISE(ABORT, 'disk full'); END")
			if _, err := s.deploy(t.Context(), map[string]string{"web": "listen"}); err == nil {
				t.Error("a switch that was not recorded is a success")
			}
			s.untouched(t, state.Aborted)
		})
	})
}

// spoil changes the store's database behind its back.
func (s *stage) spoil(t *testing.T, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", s.database)
	check(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), statement)
	check(t, err)
}

// TestTurns: one deployment per app at a time; the one that waits is told for whom, and asked once more when its turn has come.
func TestTurns(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		finish := make(chan struct{})
		s.on("publish", func() { <-finish })
		first := make(chan error)
		go func() {
			_, err := s.deploy(t.Context(), map[string]string{"web": "listen"})
			first <- err
		}()
		synctest.Wait()
		s.ready = func(context.Context) error { return errors.New("the ref has moved") }
		second := make(chan string)
		go func() {
			out, err := s.deploy(t.Context(), map[string]string{"web": "listen"})
			second <- fmt.Sprint(out, err)
		}()
		synctest.Wait()
		close(finish)
		check(t, <-first)
		said := <-second
		if !strings.HasPrefix(said, " Waiting for deployment 2 of alice to finish, place 1 in the queue of my-app...\n") || !strings.Contains(said, "the ref has moved") {
			t.Errorf("the second saw\n%s", said)
		}
		if slices.Contains(s.take(), "build 3") {
			t.Error("the second was built")
		}
	})
}

// TestVariablesWhileItWaits sets variables while a deployment and a hook by itself wait for their turns: both have them, and do not print them.
func TestVariablesWhileItWaits(t *testing.T) {
	types := map[string]string{"web": "listen", "postdeploy": "migrate"}
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		finish := make(chan struct{})
		s.on("publish", func() { <-finish })
		ended, said := make(chan error, 3), make(chan string, 3)
		push := func() {
			out, err := s.deploy(t.Context(), types)
			ended <- err
			said <- out
		}
		go push()
		synctest.Wait()
		go push()
		synctest.Wait()
		go func() {
			var out strings.Builder
			ended <- s.redeploy(t.Context(), apps.Redeployment{App: "my-app", From: 2, HookOnly: true, Out: &out})
			said <- out.String()
		}()
		synctest.Wait()
		check(t, s.store.SetVariables(t.Context(), "my-app", map[string]string{"RUN": "migrated"}))
		if env := s.engine.spec(web).Env; env["RUN"] != "" {
			t.Fatalf("the first has %v", env)
		}
		close(finish)
		check(t, errors.Join(<-ended, <-ended, <-ended))
		if env := s.engine.spec(web).Env; env["RUN"] != "migrated" {
			t.Errorf("who waited has %v", env)
		}
		var outputs []string
		for _, out := range []string{<-said, <-said, <-said} {
			_, output, _ := strings.Cut(out, "] ")
			output, _, _ = strings.Cut(output, "\n")
			outputs = append(outputs, output)
		}
		if diff := cmp.Diff([]string{"migrated", "[masked]", "[masked]"}, outputs); diff != "" {
			t.Errorf("the hooks' output (-want +got):\n%s", diff)
		}
	})
}

// TestGrace: an app without a port is live when it has stayed up for the grace period, and one that is scaled to nothing at once.
func TestGrace(t *testing.T) {
	for _, test := range []struct {
		name      string
		formation []state.ProcessType
		want      time.Duration
	}{
		{"worker", []state.ProcessType{{Name: "web", Amount: 0, Size: "M"}, {Name: "worker", Amount: 1, Size: "M"}}, 2 * time.Second},
		{"nothing", []state.ProcessType{{Name: "web", Amount: 0, Size: "M"}, {Name: "worker", Amount: 0, Size: "M"}}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			onStage(t, Limits{}, func(t *testing.T, s *stage) {
				check(t, s.store.SetFormation(t.Context(), "my-app", test.formation))
				begin := time.Now()
				out, err := s.deploy(t.Context(), map[string]string{"web": "deaf", "worker": "work"})
				if took := time.Since(begin); err != nil || took != test.want {
					t.Errorf("took %s, %v; want %s\n%s", took, err, test.want, out)
				}
			})
		})
	}
}

// TestInterrupt: a server that shuts down aborts what runs detached, and finishes the retirement of old versions.
func TestInterrupt(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		ended := make(chan error)
		s.options.Detach = true
		go func() {
			_, err := s.deploy(t.Context(), map[string]string{"web": "listen", "postdeploy": "hang"})
			ended <- err
		}()
		synctest.Wait()
		s.d.Interrupt()
		var failure *Failure
		if err := <-ended; !errors.As(err, &failure) || failure.Status != state.Aborted {
			t.Errorf("ended with %v", err)
		}
		s.untouched(t, state.Aborted)
	})
}

// TestRedeploy takes an earlier release through the story without a build and without a ref; one that fails leaves its image to the
// release that it is of.
func TestRedeploy(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		types := map[string]string{"web": "listen", "postdeploy": "migrate"}
		_, err := s.deploy(t.Context(), types)
		check(t, err)
		synctest.Wait()
		s.take()
		var out strings.Builder
		again := apps.Redeployment{App: "my-app", From: 2, User: "alice", Out: &out}
		check(t, s.redeploy(t.Context(), again))
		synctest.Wait()
		want := []string{"start web-1", "postdeploy", "serve 3", "keep 3", "remove 2 after 30s"}
		if diff := cmp.Diff(want, s.take()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if !strings.Contains(out.String(), "-----> Taking the image of deployment 2 (commit c0ffee)\n") {
			t.Errorf("the user saw\n%s", &out)
		}

		s.engine.fail("start web-1", errors.New("no such program"))
		if id, err := s.d.Redeploy(t.Context(), again); err == nil || id != 4 {
			t.Errorf("a redeployment whose start failed: deployment %d, %v", id, err)
		}
		s.engine.fail("start web-1", nil)
		again.NoHook = true
		if id, err := s.d.Redeploy(t.Context(), again); err != nil || id != 5 {
			t.Errorf("deployment %d, %v", id, err)
		}
		synctest.Wait()
		want = []string{"start web-1", "remove 4 after 0s", "start web-1", "serve 5", "keep 5", "remove 3 after 30s"}
		if diff := cmp.Diff(want, s.take()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		again.From = 4
		if id, err := s.d.Redeploy(t.Context(), again); err == nil || id != 0 || !strings.Contains(err.Error(), "not kept any more") {
			t.Errorf("the image of a failed deployment: deployment %d, %v", id, err)
		}
	})
}

// TestSwitchWaits: while somebody else is at work on the app, a repair of its live containers for one, the new version is still
// watched, and the pusher listened to.
func TestSwitchWaits(t *testing.T) {
	for _, test := range []struct {
		name    string
		web     string
		leaves  bool
		status  state.Status
		success bool
	}{
		{name: "and goes on", web: "listen", success: true},
		{name: "a container ends", web: "faint", status: state.CrashedError},
		{name: "the pusher leaves", web: "listen", leaves: true, status: state.Aborted},
	} {
		t.Run(test.name, func(t *testing.T) {
			onStage(t, Limits{}, func(t *testing.T, s *stage) {
				give, err := s.d.claims.take(t.Context(), "my-app", "repair")
				check(t, err)
				time.AfterFunc(2*time.Minute, give)
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				if test.leaves {
					time.AfterFunc(time.Minute, leave)
				}
				out, err := s.deploy(ctx, map[string]string{"web": test.web})
				time.Sleep(2 * time.Minute) // of the bubble's clock: the claim is given back
				if test.success {
					check(t, err)
					return
				}
				var failure *Failure
				if !errors.As(err, &failure) || failure.Status != test.status {
					t.Fatalf("ended with %v\n%s", err, out)
				}
				s.untouched(t, test.status)
			})
		})
	}
}

// TestStartThatFails: an engine that does not take a command says why, and what it has started of the same type is gone.
func TestStartThatFails(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		check(t, s.store.SetFormation(t.Context(), "my-app", []state.ProcessType{{Name: "web", Amount: 2, Size: "M"}}))
		s.engine.fail("start web-2", errors.New("no such program"))
		out, err := s.deploy(t.Context(), map[string]string{"web": "listen", "postdeploy": "migrate"})
		var failure *Failure
		if !errors.As(err, &failure) || failure.Status != state.CrashedError {
			t.Errorf("ended with %v", err)
		}
		for _, line := range []string{" !   → Your application could not be started\n", "       no such program\n", " !   The previous version keeps running.\n"} {
			if !strings.Contains(out, line) {
				t.Errorf("the pusher did not see %q in\n%s", line, out)
			}
		}
		s.untouched(t, state.CrashedError)
	})
}

// TestOutage takes the engine away at each step. What cannot be repeated aborts the deployment at once; questions are repeated for a
// while, and so is the removal of what was made.
func TestOutage(t *testing.T) {
	types := map[string]string{"web": "listen", "release": "expand", "postdeploy": "migrate"}
	for _, step := range []string{"release", "start web-1", "watch", "list", "postdeploy"} {
		t.Run(step, func(t *testing.T) {
			onStage(t, Limits{}, func(t *testing.T, s *stage) {
				outage := fmt.Errorf("%w: connection refused", runner.ErrUnavailable)
				s.engine.fail(step, outage)
				s.engine.fail("remove", outage)
				s.on("remove 2 after 0s", func() { time.AfterFunc(patience/2, func() { s.engine.fail("remove", nil) }) })
				out, err := s.deploy(t.Context(), types)
				var failure *Failure
				if !errors.As(err, &failure) || failure.Status != state.Aborted || !strings.Contains(out, " !   → The container engine does not answer\n") {
					t.Errorf("ended with %v\n%s", err, out)
				}
				s.untouched(t, state.Aborted)
			})
		})
	}
	t.Run("that ends in time", func(t *testing.T) {
		onStage(t, Limits{}, func(t *testing.T, s *stage) {
			s.on("start web-1", func() { s.engine.fail("list", runner.ErrUnavailable) })
			time.AfterFunc(patience/2, func() { s.engine.fail("list", nil) })
			if out, err := s.deploy(t.Context(), types); err != nil {
				t.Errorf("ended with %v\n%s", err, out)
			}
		})
	})
}
