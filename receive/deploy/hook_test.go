package deploy

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"boathook/receive/apps"
	"boathook/receive/state"
	"boathook/runner"
)

// TestHookEnvironment: a hook has the environment, the port included, of the web container; postdeploy alone has the new version's address
// in addition, if there is one, and that for itself.
func TestHookEnvironment(t *testing.T) {
	types := map[string]string{"web": "listen", "release": "expand", "postdeploy": "migrate"}
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		check(t, s.store.SetVariables(t.Context(), "my-app", map[string]string{"COLOR": "blue"}))
		_, err := s.deploy(t.Context(), types)
		check(t, err)
		containers := s.engine.spec("web")
		for hook, more := range map[string]map[string]string{
			"release":    {},
			"postdeploy": {"BOATHOOK_NEW_URL": "http://" + s.engine.listener.Addr().String()},
		} {
			spec := s.engine.spec(hook)
			want := maps.Clone(containers.Env)
			maps.Copy(want, more)
			if diff := cmp.Diff(want, spec.Env); diff != "" {
				t.Errorf("%s (-want +got):\n%s", hook, diff)
			}
			if reserved := spec.Reserve; (reserved != "") != (hook == "postdeploy") || reserved != "" && s.engine.instances[reserved].Group != containers.Group {
				t.Errorf("%s has instance %q for itself", hook, reserved)
			}
			if !spec.Port || spec.Image != containers.Image || spec.Group != (runner.Group{App: "my-app", Release: "2", Type: hook}) {
				t.Errorf("%s: %+v", hook, spec)
			}
		}
		check(t, s.store.SetFormation(t.Context(), "my-app", []state.ProcessType{{Name: "web", Amount: 0, Size: "M"}}))
		_, err = s.deploy(t.Context(), types)
		check(t, err)
		if address, set := s.engine.spec("postdeploy").Env["BOATHOOK_NEW_URL"]; set {
			t.Errorf("without a web container the address is %s", address)
		}
	})
}

// TestHookOnly runs the live release's hook with today's variables, and nothing else; what becomes of it is the answer, no deployment.
func TestHookOnly(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		var out strings.Builder
		again := apps.Redeployment{App: "my-app", From: 1, User: "alice", HookOnly: true, Out: &out}
		if err := s.redeploy(t.Context(), again); err == nil || !strings.Contains(err.Error(), "no postdeploy hook") {
			t.Errorf("an app without a hook: %v", err)
		}
		_, err := s.deploy(t.Context(), map[string]string{"web": "listen", "release": "fail", "postdeploy": "migrate"})
		var failure *Failure
		if !errors.As(err, &failure) {
			t.Fatalf("the release hook did not fail: %v", err)
		}
		_, err = s.deploy(t.Context(), map[string]string{"web": "listen", "release": "expand", "postdeploy": "migrate"})
		check(t, err)
		synctest.Wait()
		s.take()
		check(t, s.store.SetVariables(t.Context(), "my-app", map[string]string{"TOKEN": "a-secret-value", "RUN": "migrated"}))
		var kept bool
		s.on("postdeploy", func() { kept = s.d.inHand.has("3") })
		check(t, s.redeploy(t.Context(), again))
		if diff := cmp.Diff([]string{"postdeploy"}, s.take()); diff != "" || !kept {
			t.Errorf("kept from the sweep of strays: %v; events (-want +got):\n%s", kept, diff)
		}
		const transcript = "-----> Running postdeploy hook: migrate\n       [postdeploy-3] [masked]\n"
		if out.String() != transcript {
			t.Errorf("the user saw\n%s", &out)
		}
		spec := s.engine.spec("postdeploy")
		if spec.Env["TOKEN"] != "a-secret-value" || spec.Env["BOATHOOK_NEW_URL"] == "" || spec.Reserve != "" || spec.Release != "3" || spec.Image != "image-3" {
			t.Errorf("the hook ran as %+v", spec)
		}
		if all, err := s.store.Deployments(t.Context(), "my-app", 0); err != nil || len(all) != 3 {
			t.Errorf("deployments: %v, %v", all, err)
		}
	})
}

// TestHookOnlyThatFails: the live version serves on, whatever its hook does.
func TestHookOnlyThatFails(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		s.options.NoHook = true
		_, err := s.deploy(t.Context(), map[string]string{"web": "listen", "postdeploy": "fail"})
		check(t, err)
		synctest.Wait()
		s.take()
		var out strings.Builder
		err = s.redeploy(t.Context(), apps.Redeployment{App: "my-app", From: 2, HookOnly: true, Out: &out})
		if err == nil || err.Error() != "hook-error: Postdeploy hook failed with status '7'" || !strings.Contains(out.String(), "[postdeploy-2] table is locked\n") {
			t.Errorf("ended with %v\n%s", err, &out)
		}
		s.engine.fail("postdeploy", runner.ErrUnavailable)
		if err := s.redeploy(t.Context(), apps.Redeployment{App: "my-app", From: 2, HookOnly: true, Out: &out}); !errors.Is(err, runner.ErrUnavailable) {
			t.Errorf("without an engine: %v", err)
		}
		if diff := cmp.Diff([]string{"postdeploy", "postdeploy"}, s.take()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if live, _ := s.engine.list(runner.Selector{}); len(live) != 1 || live[0].Type != web {
			t.Errorf("there is %v", live)
		}
	})
}

// TestHookOnlyWaits: the hook takes its turn, and who waits for it goes when he goes.
func TestHookOnlyWaits(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		finish := make(chan struct{})
		s.on("publish", func() { <-finish })
		pushed := make(chan error)
		go func() {
			_, err := s.deploy(t.Context(), map[string]string{"web": "listen", "postdeploy": "migrate"})
			pushed <- err
		}()
		synctest.Wait()
		ctx, leave := context.WithCancel(t.Context())
		var impatient, patient strings.Builder
		ended := make(chan error, 2)
		go func() {
			ended <- s.redeploy(ctx, apps.Redeployment{App: "my-app", From: 1, HookOnly: true, Out: &impatient})
		}()
		synctest.Wait()
		leave()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("who left: %v", err)
		}
		go func() {
			ended <- s.redeploy(t.Context(), apps.Redeployment{App: "my-app", From: 1, HookOnly: true, Out: &patient})
		}()
		synctest.Wait()
		close(finish)
		check(t, errors.Join(<-pushed, <-ended))
		const waiting = " Waiting for deployment 2 of alice to finish, place 1 in the queue of my-app...\n"
		if impatient.String() != waiting || patient.String() != waiting+"-----> Running postdeploy hook: migrate\n       [postdeploy-2] migrated\n" {
			t.Errorf("they saw\n%s\n%s", &impatient, &patient)
		}
	})
}
