package apps

import (
	"strings"
	"testing"
)

func TestAddUser(t *testing.T) {
	w := newWorld(t)
	for name, want := range map[string]string{
		"eve": "", "e.v_e-2": "", strings.Repeat("a", 48): "",
		"olga": "there is a user olga already", "operator": "cannot name a user", "": "cannot name a user",
		"Eve": "cannot name a user", "-eve": "cannot name a user", "e/ve": "cannot name a user", strings.Repeat("a", 49): "cannot name a user",
	} {
		wantText(t, w.AddUser(t.Context(), adam, name, false), want)
	}
}

func TestRemoveUser(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	wantText(t, w.RemoveUser(ctx, adam, "olga"), "olga owns my-app: destroy what nobody needs")
	wantText(t, w.RemoveUser(ctx, adam, "nobody"), `there is no user "nobody"`)
	w.must(w.RemoveUser(ctx, adam, "colin"))
	if got := answerOf(t, w.MayDeploy(ctx, colin, "my-app")); got != noApp {
		t.Errorf("a user who was removed gets %q", got)
	}
}

func TestCollaborators(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, test := range []struct{ user, role, want string }{
		{"steve", Collaborator, ""},
		{"steve", LimitedCollaborator, ""},
		{"steve", "owner", `"owner" is not a role`},
		{"olga", Collaborator, "olga owns my-app already"},
		{"nobody", Collaborator, `there is no user "nobody"`},
	} {
		wantText(t, w.AddCollaborator(ctx, olga, "my-app", test.user, test.role), test.want)
	}
	if got := answerOf(t, w.MayDeploy(ctx, steve, "my-app")); got != denied {
		t.Errorf("limited collaborator: %q", got)
	}
	w.must(w.RemoveCollaborator(ctx, olga, "my-app", "steve"))
	if got := answerOf(t, w.MayDeploy(ctx, steve, "my-app")); got != noApp {
		t.Errorf("former collaborator: %q", got)
	}
	wantText(t, w.RemoveCollaborator(ctx, olga, "my-app", "steve"), "steve is not a collaborator of my-app")
}

// On a machine with one user the operator need not say whose things are meant.
func TestOperatorMeansTheOnlyUser(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.must(w.Destroy(ctx, operator, "my-app", "my-app", silent))
	for _, c := range []Caller{adam, colin, lily, steve} {
		w.must(w.RemoveUser(ctx, operator, c.User))
	}
	app, err := w.Create(ctx, operator, "next-app", "")
	w.must(err)
	if app.Owner != "olga" {
		t.Errorf("owner %s", app.Owner)
	}
}
