package apps

import (
	"context"
	"errors"
	"io"
	"testing"
)

// answer is what a caller gets.
type answer string

const (
	yes    answer = "yes"
	denied answer = "denied"      // sees the app, may not do this
	noApp  answer = "no such app" // may not even see it
)

func answerOf(t *testing.T, err error) answer {
	t.Helper()
	switch {
	case err == nil:
		return yes
	case errors.Is(err, ErrNoApp):
		return noApp
	case errors.Is(err, ErrDenied):
		return denied
	}
	t.Errorf("another error: %v", err)
	return ""
}

// operations is every operation on an app, each with the answers for a limited and a full collaborator. Owner, administrator and
// operator may do all of them, a stranger none.
var operations = []struct {
	name            string
	limited, member answer
	do              func(ctx context.Context, s *Service, c Caller, app string) error
}{
	{"ps", yes, yes, func(ctx context.Context, s *Service, c Caller, app string) error {
		_, _, err := s.Processes(ctx, c, app)
		return err
	}},
	{"deployments", yes, yes, func(ctx context.Context, s *Service, c Caller, app string) error {
		_, err := s.Deployments(ctx, c, app, 0)
		return err
	}},
	{"deployment", yes, yes, func(ctx context.Context, s *Service, c Caller, app string) error {
		_, err := s.Deployment(ctx, c, app, 0)
		return err
	}},
	{"deployment log", yes, yes, func(ctx context.Context, s *Service, c Caller, app string) error {
		_, err := s.DeploymentLog(ctx, c, app, 0, io.Discard)
		return err
	}},
	{"logs", yes, yes, func(ctx context.Context, s *Service, c Caller, app string) error {
		return s.Logs(ctx, c, app, LogOptions{}, io.Discard)
	}},
	{"collaborators", yes, yes, func(ctx context.Context, s *Service, c Caller, app string) error {
		_, err := s.Collaborators(ctx, c, app)
		return err
	}},
	{"clone", denied, yes, func(ctx context.Context, s *Service, c Caller, app string) error {
		return s.MayClone(ctx, c, app)
	}},
	{"timeline", denied, denied, func(ctx context.Context, s *Service, c Caller, app string) error {
		_, err := s.Timeline(ctx, c, app, 0)
		return err
	}},
	{"deploy", denied, yes, func(ctx context.Context, s *Service, c Caller, app string) error {
		return s.MayDeploy(ctx, c, app)
	}},
	{"variables", denied, yes, func(ctx context.Context, s *Service, c Caller, app string) error {
		_, err := s.Variables(ctx, c, app)
		return err
	}},
	{"set variables", denied, yes, func(ctx context.Context, s *Service, c Caller, app string) error {
		return s.SetVariables(ctx, c, app, map[string]string{"A": "1"})
	}},
	{"unset variables", denied, yes, func(ctx context.Context, s *Service, c Caller, app string) error {
		return s.UnsetVariables(ctx, c, app, "SET")
	}},
	{"restart", yes, yes, func(ctx context.Context, s *Service, c Caller, app string) error {
		return s.Restart(ctx, c, app, nil, silent)
	}},
	{"redeploy", denied, yes, func(ctx context.Context, s *Service, c Caller, app string) error {
		_, err := s.Redeploy(ctx, c, Redeployment{App: app, Out: io.Discard})
		return err
	}},
	{"rollback", denied, yes, func(ctx context.Context, s *Service, c Caller, app string) error {
		_, err := s.Rollback(ctx, c, Redeployment{App: app, From: 1, Out: io.Discard})
		return err
	}},
	{"scale", denied, yes, func(ctx context.Context, s *Service, c Caller, app string) error {
		_, err := s.Scale(ctx, c, app, []Change{{Type: "web", Amount: 2}}, silent)
		return err
	}},
	{"add collaborator", denied, denied, func(ctx context.Context, s *Service, c Caller, app string) error {
		return s.AddCollaborator(ctx, c, app, "steve", Collaborator)
	}},
	{"remove collaborator", denied, denied, func(ctx context.Context, s *Service, c Caller, app string) error {
		return s.RemoveCollaborator(ctx, c, app, "lily")
	}},
	{"may destroy", denied, denied, func(ctx context.Context, s *Service, c Caller, app string) error {
		return s.MayDestroy(ctx, c, app)
	}},
	{"send signal", denied, yes, func(ctx context.Context, s *Service, c Caller, app string) error {
		_, err := s.Signal(ctx, c, app, "HUP", []string{"web"})
		return err
	}},
	{"stats", yes, yes, func(ctx context.Context, s *Service, c Caller, app string) error {
		_, err := s.Stats(ctx, c, app)
		return err
	}},
	{"rename", denied, denied, func(ctx context.Context, s *Service, c Caller, app string) error {
		_, err := s.Rename(ctx, c, app, "next-app")
		return err
	}},
	{"destroy", denied, denied, func(ctx context.Context, s *Service, c Caller, app string) error {
		return s.Destroy(ctx, c, app, app, silent)
	}},
}

func TestPermissions(t *testing.T) {
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			for _, test := range []struct {
				caller Caller
				want   answer
			}{
				{operator, yes}, {adam, yes}, {olga, yes}, {colin, op.member}, {lily, op.limited}, {steve, noApp}, {Caller{}, noApp},
			} {
				w := newWorld(t)
				w.must(w.store.SetVariables(t.Context(), "my-app", map[string]string{"SET": "x"}))
				if got := answerOf(t, op.do(t.Context(), w.Service, test.caller, "my-app")); got != test.want {
					t.Errorf("%+v gets %q, want %q", test.caller, got, test.want)
				}
			}
		})
	}
}

// A deploy-only key may push to its app, clone it and read what its deployments printed, as long as its user may. It may nothing else, and
// nothing at all with another app.
func TestDeployOnlyKey(t *testing.T) {
	open := map[string]bool{"deploy": true, "clone": true, "deployment log": true}
	for _, op := range operations {
		for _, test := range []struct {
			user Caller
			app  string
			want answer
		}{
			{olga, "my-app", yes}, {adam, "my-app", yes}, {colin, "my-app", yes}, {lily, "my-app", op.limited}, {steve, "my-app", noApp}, {olga, "next-app", noApp}, {adam, "next-app", noApp},
		} {
			w := newWorld(t)
			test.user.App = test.app
			want := test.want
			if !open[op.name] && want == yes {
				want = denied
			}
			if got := answerOf(t, op.do(t.Context(), w.Service, test.user, "my-app")); got != want {
				t.Errorf("%s: %s's key for %s gets %q, want %q", op.name, test.user.User, test.app, got, want)
			}
		}
	}
}

// Nobody learns from an answer whether an app of a name exists.
func TestForbiddenAnswersLikeUnknown(t *testing.T) {
	w := newWorld(t)
	for _, op := range operations {
		forbidden, unknown := op.do(t.Context(), w.Service, steve, "my-app"), op.do(t.Context(), w.Service, steve, "no-such-app")
		if forbidden == nil || unknown == nil || forbidden.Error() != unknown.Error() {
			t.Errorf("%s: forbidden %v, unknown %v", op.name, forbidden, unknown)
		}
	}
}

// What concerns users, others' things included, is for operator and administrator.
func TestPermissionsToManageUsers(t *testing.T) {
	for _, op := range []struct {
		name string
		do   func(ctx context.Context, s *Service, c Caller) error
	}{
		{"users", func(ctx context.Context, s *Service, c Caller) error { _, err := s.Users(ctx, c); return err }},
		{"audit", func(ctx context.Context, s *Service, c Caller) error { _, err := s.Audit(ctx, c, 0); return err }},
		{"add", func(ctx context.Context, s *Service, c Caller) error { return s.AddUser(ctx, c, "eve", true) }},
		{"remove", func(ctx context.Context, s *Service, c Caller) error { return s.RemoveUser(ctx, c, "lily") }},
		{"create for another", func(ctx context.Context, s *Service, c Caller) error {
			_, err := s.Create(ctx, c, "other-app", "lily")
			return err
		}},
		{"keys of another", func(ctx context.Context, s *Service, c Caller) error { _, err := s.Keys(ctx, c, "lily"); return err }},
		{"add a key to another", func(ctx context.Context, s *Service, c Caller) error {
			_, err := s.AddKey(ctx, c, NewKey{User: "lily", Name: "laptop", Text: newKey(t)})
			return err
		}},
	} {
		t.Run(op.name, func(t *testing.T) {
			for _, test := range []struct {
				caller Caller
				want   answer
			}{{operator, yes}, {adam, yes}, {Caller{User: "adam", Admin: true, App: "my-app"}, denied}, {olga, denied}, {colin, denied}, {steve, denied}, {Caller{}, denied}} {
				w := newWorld(t)
				if got := answerOf(t, op.do(t.Context(), w.Service, test.caller)); got != test.want {
					t.Errorf("%+v gets %q, want %q", test.caller, got, test.want)
				}
			}
		})
	}
}

func TestListShowsWhatIsVisible(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		caller Caller
		want   int
	}{{operator, 1}, {adam, 1}, {olga, 1}, {colin, 1}, {lily, 1}, {steve, 0}, {Caller{}, 0}} {
		all, err := w.List(t.Context(), test.caller)
		w.must(err)
		if len(all) != test.want {
			t.Errorf("%+v sees %d apps, want %d", test.caller, len(all), test.want)
		}
	}
}
