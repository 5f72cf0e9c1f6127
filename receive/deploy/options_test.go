package deploy

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"boathook/receive/gitpack"
	"boathook/receive/state"
)

func TestReadOptions(t *testing.T) {
	for _, test := range []struct {
		words   []string
		want    Options
		unknown string
	}{
		{nil, Options{}, ""},
		{[]string{"detach"}, Options{Detach: true}, ""},
		{[]string{"no-cache", "no-cache"}, Options{NoCache: true}, ""},
		{[]string{"dry-run", "skip-hook", "no-cache", "detach"}, Options{Detach: true, NoCache: true, NoHook: true, DryRun: true}, ""},
		{[]string{"detach", "detatch"}, Options{}, "detatch"},
		{[]string{"detach=true"}, Options{}, "detach=true"},
		{[]string{"Detach"}, Options{}, "Detach"},
		{[]string{" detach"}, Options{}, " detach"},
	} {
		got, unknown := readOptions(test.words)
		if got != test.want || unknown != test.unknown {
			t.Errorf("%q: %+v, %q", test.words, got, unknown)
		}
	}
}

// TestUnknownOption: a push with an option that does not exist is told which ones do, and is no deployment.
func TestUnknownOption(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		var out strings.Builder
		err := Push{Deployer: s.d, Pusher: "alice"}.Deploy(t.Context(), &gitpack.Push{App: "my-app", Options: []string{"dry-run", "no-\x1b[2Jcache"}, Out: &out})
		var reasoned interface{ Reason() string }
		if !errors.As(err, &reasoned) || reasoned.Reason() != "unknown push option" {
			t.Errorf("ended with %v", err)
		}
		const want = " !     Unknown push option 'no-cache'\n !     Known options: git push -o detach, -o no-cache, -o skip-hook, -o dry-run\n"
		if out.String() != want {
			t.Errorf("the pusher saw\n%s", &out)
		}
		if all, err := s.store.Deployments(t.Context(), "my-app", 0); err != nil || len(all) != 1 {
			t.Errorf("deployments: %v, %v", all, err)
		}
	})
}

// TestNoHook leaves both hooks out and says so.
func TestNoHook(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		s.options = Options{NoHook: true, NoCache: true}
		out, err := s.deploy(t.Context(), map[string]string{"web": "listen", "release": "fail", "postdeploy": "fail"})
		check(t, err)
		synctest.Wait()
		want := []string{"build 2", "without cache", "start web-1", "publish", "serve 2", "keep 2", "remove 1 after 30s"}
		if diff := cmp.Diff(want, s.take()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		for _, line := range []string{"-----> Leaving the release hook out: fail\n", "-----> Leaving the postdeploy hook out: fail\n"} {
			if !strings.Contains(out, line) {
				t.Errorf("the pusher did not see %q in\n%s", line, out)
			}
		}
	})
}

// TestDryRun goes all the way to the switch, and leaves no trace but its record.
func TestDryRun(t *testing.T) {
	for _, test := range []struct {
		name   string
		types  map[string]string
		more   Options
		events []string
		status state.Status
		word   string // to git
		last   string // what the pusher sees
	}{
		{"that goes well", map[string]string{"web": "listen", "release": "expand", "postdeploy": "migrate"}, Options{},
			[]string{"build 2", "release", "start web-1", "postdeploy", "remove 2 after 0s", "discard image-2"}, state.Aborted, "dry-run",
			" Dry run: this version could go live, and is thrown away\n"},
		{"without hooks and cache", map[string]string{"web": "listen", "release": "fail", "postdeploy": "fail"}, Options{NoHook: true, NoCache: true},
			[]string{"build 2", "without cache", "start web-1", "remove 2 after 0s", "discard image-2"}, state.Aborted, "dry-run",
			" Dry run: this version could go live, and is thrown away\n"},
		{"whose hook fails", map[string]string{"web": "listen", "postdeploy": "fail"}, Options{},
			[]string{"build 2", "start web-1", "postdeploy", "remove 2 after 0s", "discard image-2"}, state.HookError, "hook-error",
			" !   The previous version keeps running.\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			onStage(t, Limits{}, func(t *testing.T, s *stage) {
				s.options = test.more
				s.options.DryRun = true
				out, err := s.deploy(t.Context(), test.types)
				var failure *Failure
				if !errors.As(err, &failure) || failure.Reason() != test.word || !strings.HasSuffix(out, test.last) {
					t.Errorf("ended with %v\n%s", err, out)
				}
				if test.word == "dry-run" && strings.Contains(out, "Error") {
					t.Errorf("a dry run that went well reads\n%s", out)
				}
				events := s.take()
				if diff := cmp.Diff(test.events, events); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				s.events = events
				s.untouched(t, test.status)
				record, err := s.store.Deployment(t.Context(), 2)
				check(t, err)
				if record.Reason != failure.Text {
					t.Errorf("the deployment says %q", record.Reason)
				}
			})
		})
	}
}

// TestDryRunOfTheLiveImage: a build that comes out as what is live already leaves that where it is.
func TestDryRunOfTheLiveImage(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		s.builder.ref = "image-1"
		s.options.DryRun = true
		_, err := s.deploy(t.Context(), map[string]string{"web": "listen"})
		if !errors.Is(err, errDryRun) {
			t.Errorf("ended with %v", err)
		}
		if diff := cmp.Diff([]string{"build 2", "start web-1", "remove 2 after 0s"}, s.take()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if releases, err := s.store.Releases(t.Context(), "my-app"); err != nil || len(releases) != 1 {
			t.Errorf("releases: %v, %v", releases, err)
		}
	})
}

// TestDetach: who goes away from a detached deployment does not end it.
func TestDetach(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		ctx, leave := context.WithCancel(t.Context())
		s.on("start web-1", leave)
		s.options.Detach = true
		_, err := s.deploy(ctx, map[string]string{"web": "listen", "postdeploy": "migrate"})
		check(t, err)
		synctest.Wait()
		if !slices.Contains(s.take(), "serve 2") {
			t.Error("the new version does not serve")
		}
	})
}
