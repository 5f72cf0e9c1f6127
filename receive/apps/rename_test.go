package apps

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"boathook/receive/gitpack"
	"boathook/receive/state"
)

// Sessions that look at an app when it gets another name go on, a deploy-only key's too, and end with their access as before.
func TestSessionsFollowTheName(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	_, person := w.visiting("colin", NewKey{})
	_, key := w.visiting("colin", NewKey{App: "my-app"})
	w.must(second(w.Rename(ctx, olga, "my-app", "new-app")))
	w.must(w.RemoveCollaborator(ctx, olga, "new-app", "lily"))
	for _, v := range []*Visit{person, key} {
		if v.Access.Err() != nil {
			t.Errorf("a session of %+v has ended", v.Caller)
		}
	}
	w.must(w.RemoveCollaborator(ctx, olga, "new-app", "colin"))
	for _, v := range []*Visit{person, key} {
		if v.Access.Err() == nil {
			t.Errorf("a session of %+v goes on without its access", v.Caller)
		}
	}
}

func TestRename(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	wantText(t, second(w.Rename(ctx, olga, "my-app", "Shop")), "cannot name an app")
	w.must(second(w.Create(ctx, olga, "next-app", "")))
	wantText(t, second(w.Rename(ctx, olga, "my-app", "next-app")), "the name next-app is taken")

	w.repositories.fail = fmt.Errorf("rename repository: %w", gitpack.ErrBusy)
	wantText(t, second(w.Rename(ctx, olga, "my-app", "new-app")), "somebody is pushing to my-app: when that has ended, rename again")
	w.repositories.fail = nil
	if _, err := w.store.App(ctx, "my-app"); err != nil {
		t.Error(err)
	}

	w.must(second(w.Rename(ctx, olga, "my-app", "new-app")))
	if _, err := w.store.App(ctx, "my-app"); !errors.Is(err, state.ErrNotFound) || w.repositories.exist["my-app"] || !w.repositories.exist["new-app"] {
		t.Errorf("after a renaming: %v, repositories %v", err, w.repositories.exist)
	}
	entries, err := w.Timeline(ctx, olga, "new-app", 1)
	if err != nil || len(entries) != 1 || entries[0].Action != "rename from my-app" || entries[0].User != "olga" || entries[0].Result != "ok" {
		t.Errorf("timeline %+v, %v", entries, err)
	}
}

// Who waits for a name that somebody else is giving away waits no longer than he wants.
func TestNamingWaits(t *testing.T) {
	w := newWorld(t)
	done, err := w.beginNaming(t.Context())
	w.must(err)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if _, err := w.Create(ctx, olga, "next-app", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("created meanwhile: %v", err)
	}
	done()
	w.must(second(w.Create(t.Context(), olga, "next-app", "")))
}
