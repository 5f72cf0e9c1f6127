package gitpack

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func done(context.Context) error { return nil }

func TestRename(t *testing.T) {
	w := newWorld(t)
	tip := w.land(t, "my-app")
	if err := w.repos.Create(t.Context(), "taken1"); err != nil {
		t.Fatal(err)
	}
	if err := w.repos.Rename(t.Context(), "my-app", "taken1", done); err == nil {
		t.Error("renamed over another app's repository")
	}
	if err := w.repos.Rename(t.Context(), "absent", "other1", done); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a repository that is not there: %v", err)
	}
	c, whole := simplePush()
	w.repos.ReceivePack(t.Context(), "taken1", input(t, "report-status", master, c.id(), whole), io.Discard, io.Discard,
		deployFunc(func(ctx context.Context, p *Push) error {
			if err := w.repos.Rename(ctx, "taken1", "other1", done); !errors.Is(err, ErrBusy) {
				t.Errorf("in the middle of a push: %v", err)
			}
			return nil
		}))
	no := errors.New("no")
	if err := w.repos.Rename(t.Context(), "my-app", "other1", func(context.Context) error { return no }); !errors.Is(err, no) {
		t.Errorf("the commit failed: %v", err)
	}
	if got, err := w.repos.Head(t.Context(), "my-app", master); err != nil || got != tip {
		t.Errorf("after a failed commit at %s, %v", got, err)
	}
	if err := w.repos.Rename(t.Context(), "my-app", "other1", done); err != nil {
		t.Fatal(err)
	}
	if got, err := w.repos.Head(t.Context(), "other1", master); err != nil || got != tip {
		t.Errorf("at %s, %v", got, err)
	}
	if _, err := os.Stat(w.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old directory: %v", err)
	}
	w.noNotes(t)
}

func (w *world) noNotes(t *testing.T) {
	t.Helper()
	if notes, err := filepath.Glob(filepath.Join(w.repos.dir, renamePrefix+"*")); err != nil || len(notes) > 0 {
		t.Errorf("left: %v, %v", notes, err)
	}
}

// TestRenameNotTakenBack has the way back blocked when a commit fails: the next start finds the repository and brings it to its app.
func TestRenameNotTakenBack(t *testing.T) {
	w := newWorld(t)
	tip := w.land(t, "my-app")
	block := filepath.Join(w.repos.Path("my-app"), "in-the-way")
	err := w.repos.Rename(t.Context(), "my-app", "other1", func(context.Context) error { return errors.Join(errors.New("no"), os.MkdirAll(block, 0o700)) })
	if err == nil {
		t.Error("renamed without the commit")
	}
	if err := os.RemoveAll(w.repos.Path("my-app")); err != nil {
		t.Fatal(err)
	}
	exists := func(_ context.Context, app string) (bool, error) { return app == "my-app", nil }
	if err := w.repos.FinishRenames(t.Context(), exists); err != nil {
		t.Fatal(err)
	}
	if got, err := w.repos.Head(t.Context(), "my-app", master); err != nil || got != tip {
		t.Errorf("at %s, %v", got, err)
	}
	w.noNotes(t)
}

// TestFinishRenames leaves a renaming where a crash may, and lets the database say how it ends.
func TestFinishRenames(t *testing.T) {
	for _, test := range []struct {
		name, at, app string // where the repository is, and what the app is called
	}{
		{"before the move", "my-app", "my-app"},
		{"before the commit", "other1", "my-app"},
		{"after the commit", "other1", "other1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			tip := w.land(t, "my-app")
			if err := os.Symlink("my-app", filepath.Join(w.repos.dir, renamePrefix+"other1")); err != nil {
				t.Fatal(err)
			}
			if test.at != "my-app" {
				if _, err := w.repos.move("my-app", test.at); err != nil {
					t.Fatal(err)
				}
			}
			exists := func(_ context.Context, app string) (bool, error) { return app == test.app, nil }
			if err := w.repos.FinishRenames(t.Context(), exists); err != nil {
				t.Fatal(err)
			}
			if got, err := w.repos.Head(t.Context(), test.app, master); err != nil || got != tip {
				t.Errorf("at %s, %v", got, err)
			}
			w.noNotes(t)
		})
	}
}
