package state

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestApps(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	wantErr(t, second(s.CreateApp(ctx, "my-app", "alice")), ErrExists)
	wantErr(t, second(s.CreateApp(ctx, "other-app", "nobody")), ErrNotFound)
	wantErr(t, second(s.App(ctx, "other-app")), ErrNotFound)
	wantErr(t, s.DeleteApp(ctx, "other-app"), ErrNotFound)
	must(t, second(s.CreateApp(ctx, "a-first", "alice")))
	all, err := s.Apps(ctx)
	must(t, err)
	if len(all) != 2 || all[0].Name != "a-first" || all[1].Name != "my-app" || all[1].Created.IsZero() {
		t.Errorf("apps %+v", all)
	}
}

func TestDeleteAppForgetsEverything(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	must(t, second(s.CreateUser(ctx, "bob", false)))
	must(t, s.SetCollaborator(ctx, "my-app", "bob", "limited"))
	must(t, s.SetVariables(ctx, "my-app", map[string]string{"A": "1"}))
	id := started(t, s)
	must(t, s.RecordPhase(ctx, id, "build", 1))
	must(t, s.AppendLog(ctx, id, []byte("line\n")))
	must(t, s.GoLive(ctx, id, []ProcessType{{Name: "web", Amount: 1, Size: "M"}}))
	must(t, s.Audit(ctx, AuditEntry{App: "my-app", Action: "create"}))
	must(t, s.DeleteApp(ctx, "my-app"))
	for _, table := range []string{"apps", "collaborators", "variables", "formation", "deployments", "transitions", "phases", "logs", "releases"} {
		var n int
		must(t, s.db.QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(&n))
		if n != 0 {
			t.Errorf("%s: %d rows are left", table, n)
		}
	}
	entries, err := s.AuditEntries(ctx, 10)
	must(t, err)
	if len(entries) != 1 {
		t.Errorf("the audit has %d entries, want 1", len(entries))
	}

	// Another app of the name starts with nothing, and its deployments do not reuse ids, which name images.
	must(t, second(s.CreateApp(ctx, "my-app", "bob")))
	if next := started(t, s); next <= id {
		t.Errorf("deployment %d follows %d", next, id)
	}
}

func TestVariables(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	must(t, s.SetVariables(ctx, "my-app", map[string]string{"A": "1", "B": "line\nline ☃ \xff", "C": ""}))
	must(t, s.SetVariables(ctx, "my-app", map[string]string{"A": "2"}))
	must(t, s.UnsetVariables(ctx, "my-app", "C", "NOT_SET"))
	must(t, s.UnsetVariables(ctx, "my-app"))
	got, err := s.Variables(ctx, "my-app")
	must(t, err)
	if diff := cmp.Diff(map[string]string{"A": "2", "B": "line\nline ☃ \xff"}, got); diff != "" {
		t.Error(diff)
	}
	wantErr(t, s.SetVariables(ctx, "no-app", map[string]string{"A": "1"}), ErrNotFound)
}

func TestFormation(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	must(t, s.SetFormation(ctx, "my-app", []ProcessType{{Name: "worker", Command: "w"}, {Name: "clock"}}))
	must(t, s.SetFormation(ctx, "my-app", []ProcessType{{Name: "worker", Amount: 3, Size: "M"}, {Name: "web", Command: "run", Amount: 2, Size: "L"}}))
	want := []ProcessType{{Name: "clock"}, {Name: "web", Command: "run", Amount: 2, Size: "L"}, {Name: "worker", Command: "w", Amount: 3, Size: "M"}}
	got, err := s.Formation(ctx, "my-app")
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	wantErr(t, s.SetFormation(ctx, "no-app", want), ErrNotFound)
}

func TestCollaborators(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	must(t, second(s.CreateUser(ctx, "bob", false)))
	must(t, s.SetCollaborator(ctx, "my-app", "bob", "limited"))
	must(t, s.SetCollaborator(ctx, "my-app", "bob", "collaborator"))
	wantErr(t, s.SetCollaborator(ctx, "my-app", "nobody", "limited"), ErrNotFound)
	wantErr(t, s.RemoveCollaborator(ctx, "my-app", "nobody"), ErrNotFound)
	got, err := s.Collaborators(ctx, "my-app")
	must(t, err)
	if diff := cmp.Diff([]Collaborator{{App: "my-app", User: "bob", Role: "collaborator"}}, got); diff != "" {
		t.Error(diff)
	}
	must(t, s.RemoveCollaborator(ctx, "my-app", "bob"))
	wantErr(t, s.RemoveCollaborator(ctx, "my-app", "bob"), ErrNotFound)
}
