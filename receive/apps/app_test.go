package apps

import (
	"errors"
	"strings"
	"testing"

	"boathook/receive/state"
)

func TestCheckName(t *testing.T) {
	for name, fine := range map[string]bool{
		"my-app": true, "abcdef": true, "123456": true, "a-b-c-d": true, strings.Repeat("a", 48): true,
		"": false, "abcde": false, strings.Repeat("a", 49): false, "My-app": false, "my--app": false, "-my-app": false,
		"my-app-": false, "my_app": false, "my.app": false, "../../etc": false, "my-app\n": false, "my-äpp": false,
	} {
		if err := CheckName(name); (err == nil) != fine {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestCreate(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	app, err := w.Create(ctx, steve, "steves-app", "")
	w.must(err)
	if app.Owner != "steve" || !w.repositories.exist["steves-app"] {
		t.Errorf("app %+v, repositories %v", app, w.repositories.exist)
	}
	for _, test := range []struct {
		name        string
		caller      Caller
		app, owner  string
		want        string
		ownerResult string
	}{
		{"taken", steve, "my-app", "", "the name my-app is taken", ""},
		{"bad name", steve, "x", "", "cannot name an app", ""},
		{"operator names no owner", operator, "other-app", "", "there are 5 users: name one with --owner", ""},
		{"owner unknown", operator, "other-app", "nobody", `there is no user "nobody"`, ""},
		{"operator for olga", operator, "other-app", "olga", "", "olga"},
		{"own name given", steve, "third-app", "steve", "", "steve"},
	} {
		t.Run(test.name, func(t *testing.T) {
			app, err := w.Create(ctx, test.caller, test.app, test.owner)
			wantText(t, err, test.want)
			if err == nil && app.Owner != test.ownerResult {
				t.Errorf("owner %s", app.Owner)
			}
		})
	}
}

func TestCreateWithoutRepositoryLeavesNothing(t *testing.T) {
	w := newWorld(t)
	w.repositories.fail = errors.New("disk full")
	_, err := w.Create(t.Context(), olga, "new-app", "")
	wantText(t, err, "repository: disk full")
	if _, err := w.store.App(t.Context(), "new-app"); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("the app is recorded: %v", err)
	}
}

func TestDestroy(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	wantText(t, w.Destroy(ctx, olga, "my-app", "my-ap", silent), "was not destroyed")
	if len(w.runtime.destroyed) > 0 {
		t.Fatal("destroyed without confirmation")
	}
	// What was interrupted can be asked for again.
	w.runtime.fail = errors.New("engine away")
	wantText(t, w.Destroy(ctx, olga, "my-app", "my-app", silent), "engine away")
	if _, err := w.store.App(ctx, "my-app"); err != nil || !w.repositories.exist["my-app"] {
		t.Fatalf("half gone: %v, %v", err, w.repositories.exist)
	}
	w.runtime.fail = nil
	w.must(w.Destroy(ctx, olga, "my-app", "my-app", silent))
	if w.repositories.exist["my-app"] {
		t.Error("the repository is left")
	}
	wantText(t, w.Destroy(ctx, olga, "my-app", "my-app", silent), ErrNoApp.Error())
}
