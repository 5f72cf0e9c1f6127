package state

import (
	"errors"
	"slices"
	"testing"
)

// TestRenameApp gives an app a row in everything that knows apps, renames it, and looks through the whole database for its old name.
func TestRenameApp(t *testing.T) {
	s, ctx := withApp(t), t.Context()
	must(t, second(s.CreateUser(ctx, "bob", false)))
	must(t, second(s.CreateApp(ctx, "taken-app", "alice")))
	must(t, s.SetCollaborator(ctx, "my-app", "bob", "collaborator"))
	must(t, s.SetVariables(ctx, "my-app", map[string]string{"TOKEN": "secret"}))
	must(t, s.AddDomain(ctx, "my-app", "www.example.org"))
	must(t, s.SetPage(ctx, "my-app", Page{Purpose: ErrorPage, HTML: "<p>sorry"}))
	must(t, s.SetFormation(ctx, "my-app", []ProcessType{{Name: "web", Amount: 2, Size: "L"}}))
	must(t, s.AddKey(ctx, Key{User: "alice", Name: "ci", Type: "ssh-ed25519", Fingerprint: "SHA256:x", Blob: []byte("x"), App: "my-app"}))
	d, err := s.CreateDeployment(ctx, Deployment{App: "my-app", Ref: "refs/heads/master", Commit: "c0ffee", Pusher: "alice"})
	must(t, err)
	must(t, s.SaveRelease(ctx, Release{Deployment: d.ID, App: "my-app", Image: "img:1"}))
	before, err := s.App(ctx, "my-app")
	must(t, err)

	entry := AuditEntry{User: "alice", App: "new-app", Action: RenamedFrom + "my-app", Result: "ok"}
	if err := s.RenameApp(ctx, "my-app", "taken-app", entry); !errors.Is(err, ErrExists) {
		t.Errorf("to a name that is taken: %v", err)
	}
	if err := s.RenameApp(ctx, "no-app", "new-app", entry); !errors.Is(err, ErrNotFound) {
		t.Errorf("of no app: %v", err)
	}
	if entries, err := s.AuditEntries(ctx, 0); err != nil || len(entries) > 0 {
		t.Errorf("what failed is in the audit: %v, %v", entries, err)
	}
	must(t, s.RenameApp(ctx, "my-app", "new-app", entry))

	after, err := s.App(ctx, "new-app")
	must(t, err)
	if before.Name = "new-app"; after != before {
		t.Errorf("the app is %+v, want %+v", after, before)
	}
	if vars, err := s.Variables(ctx, "new-app"); err != nil || vars["TOKEN"] != "secret" {
		t.Errorf("variables %v, %v", vars, err)
	}
	if _, err := s.App(ctx, "my-app"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the old name: %v", err)
	}
	tables, err := query(ctx, s, func(r row) (name string, err error) { err = r.Scan(&name); return name, err },
		"SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c ON c.name = 'app' WHERE m.type = 'table' ORDER BY m.name")
	must(t, err)
	if !slices.Contains(tables, "releases") {
		t.Fatal(tables)
	}
	for _, table := range tables {
		counts, err := query(ctx, s, func(r row) (n [2]int, err error) { err = r.Scan(&n[0], &n[1]); return n, err },
			"SELECT count(*) FILTER (WHERE app = 'my-app'), count(*) FILTER (WHERE app = 'new-app') FROM "+table)
		must(t, err)
		if counts[0] != [2]int{0, 1} {
			t.Errorf("%s has %d rows of the old name and %d of the new one, want 0 and 1: rename.go, or a row in this test?", table, counts[0][0], counts[0][1])
		}
	}
}

// TestAppAuditFollowsNames: an app's entries are found under all names that it had, those of other apps of these names are not.
func TestAppAuditFollowsNames(t *testing.T) {
	s, ctx := withApp(t), t.Context()
	must(t, second(s.CreateApp(ctx, "first-app", "alice")))
	say := func(app, action string) {
		must(t, s.Audit(ctx, AuditEntry{User: "alice", App: app, Action: action, Result: "ok"}))
	}
	rename := func(old, name string) {
		must(t, s.RenameApp(ctx, old, name, AuditEntry{User: "alice", App: name, Action: RenamedFrom + old, Result: "ok"}))
		say(old, "rename to "+name)
	}
	say("first-app", "one")
	say("last-app", "another app's") // which is destroyed then
	rename("first-app", "second-app")
	must(t, second(s.CreateApp(ctx, "first-app", "alice")))
	say("first-app", "create")
	say("second-app", "two")
	rename("second-app", "last-app")
	say("last-app", "three")
	say("second-app", "nobody's")

	for name, want := range map[string][]string{
		"last-app":  {"three", "rename from second-app", "two", "rename from first-app", "one"},
		"first-app": {"create"},
	} {
		app, err := s.App(ctx, name)
		must(t, err)
		entries, err := s.AppAudit(ctx, app, 0)
		must(t, err)
		var got []string
		for _, e := range entries {
			got = append(got, e.Action)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
