package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"boathook/cmd/boathook/scenes"
)

// TestCrashOfRename kills boathook at every event of a renaming, of which there are fewer than of a deployment. Whatever the moment: the app
// has one of the two names, by which it is served, by which git finds its branch, and which its containers bear; the other name is nobody's.
func TestCrashOfRename(t *testing.T) {
	t.Parallel()
	app := scenes.Fixture(t)
	for _, engine := range []string{"local", "docker"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			if engine == "docker" {
				scenes.NeedDocker(t)
			}
			w := newWalk(t, engine, app)
			events := w.rename(0)
			if len(events) < 10 || w.app != "new-app" {
				t.Fatalf("renamed to %s with %d events: %q", w.app, len(events), events)
			}
			for at := 1; at <= len(events) && !t.Failed(); at += max(1, *every/4) {
				w.rename(at)
			}
		})
	}
}

// rename renames the app back and forth with a boathook that dies at an event, starts another, and holds it to account.
func (w *walk) rename(at int) (events []string) {
	w.t.Helper()
	names := []string{"my-app", "new-app"}
	from := w.app
	to := names[1-slices.Index(names, from)]
	events = w.dieDuring(at, func(string) (string, error) {
		var out bytes.Buffer
		if code := request(context.Background(), socket(filepath.Join(w.dir, "data")), []string{"rename", from, to}, strings.NewReader(""), &out, &out); code != 0 {
			return out.String(), fmt.Errorf("exit %d", code)
		}
		return out.String(), nil
	})
	after := w.serve()
	defer after.stop()
	all, err := after.store.Apps(context.Background())
	if err != nil || len(all) != 1 || !slices.Contains(names, all[0].Name) {
		w.t.Fatalf("apps: %+v, %v", all, err)
	}
	w.app = all[0].Name
	w.t.Attr("outcome", fmt.Sprintf("%s: killed at event %d of %d, renaming to %s", map[bool]string{true: "renamed", false: "old name"}[w.app == to], len(events), at, to))
	after.serves(w.version)
	if code, body, err := after.askHost(names[1-slices.Index(names, w.app)] + ".example.com"); err != nil || code != http.StatusNotFound {
		w.t.Errorf("the other name answers %d %q, %v", code, body, err)
	}
	after.ref(strings.TrimSpace(w.git("rev-parse", "HEAD")))
	repositories, err := filepath.Glob(filepath.Join(w.dir, "data", "repositories", "*"))
	if err != nil || len(repositories) != 1 {
		w.t.Errorf("repositories: %q, %v", repositories, err)
	}
	after.clean()
	if n := len(after.running()); n != 3 {
		w.t.Errorf("%d containers run, want 3", n)
	}
	if w.t.Failed() {
		w.t.Logf("events:\n%s", strings.Join(events, "\n"))
	}
	return events
}
