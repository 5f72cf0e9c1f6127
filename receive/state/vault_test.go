package state

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// filesWith lists the files below dir whose bytes contain text.
func filesWith(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	must(t, err)
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(dir, file.Name()))
		must(t, err)
		if bytes.Contains(content, []byte(text)) {
			found = append(found, file.Name())
		}
	}
	return found
}

func TestValuesAreSealedOnDisk(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	dir := filepath.Dir(s.path)
	for _, value := range []string{"first-secret-value", "second-secret-value", strings.Repeat("long-secret-value", 1000)} {
		must(t, s.SetVariables(ctx, "my-app", map[string]string{"TOKEN": value, "OTHER": value}))
		if vars, err := s.Variables(ctx, "my-app"); err != nil || vars["TOKEN"] != value {
			t.Fatalf("variables %v, %v", vars, err)
		}
	}
	must(t, s.UnsetVariables(ctx, "my-app", "OTHER"))
	if !slices.Contains(filesWith(t, dir, "my-app"), "boathook.db-wal") {
		t.Error("the write-ahead log was not looked at")
	}
	if found := filesWith(t, dir, "secret-value"); len(found) > 0 {
		t.Errorf("%v hold a value", found)
	}
	must(t, s.Close())
	if found := filesWith(t, dir, "secret-value"); len(found) > 0 {
		t.Errorf("after the end, %v hold a value", found)
	}
}

func TestEqualValuesDoNotLookEqual(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	must(t, s.SetVariables(ctx, "my-app", map[string]string{"A": "same", "B": "same"}))
	var kinds int
	must(t, s.db.QueryRowContext(ctx, "SELECT count(DISTINCT substr(value, 22)) FROM variables").Scan(&kinds))
	if kinds != 2 {
		t.Errorf("%d kinds of sealed values, want 2", kinds)
	}
}

// Who may write to the database but does not have the key cannot give an app another one's value, or a value of his own.
func TestMovedAndChangedValuesAreRefused(t *testing.T) {
	const other = "(SELECT value FROM variables WHERE app = 'other-app' AND name = 'A')"
	for name, statement := range map[string]string{
		"from another app":      "UPDATE variables SET value = " + other + " WHERE app = 'my-app' AND name = 'A'",
		"from another variable": "UPDATE variables SET value = (SELECT value FROM variables WHERE app = 'my-app' AND name = 'B') WHERE app = 'my-app' AND name = 'A'",
		"into a new variable":   "INSERT INTO variables (app, name, value) VALUES ('my-app', 'NEW', " + other + ")",
		"to another app":        "UPDATE variables SET app = 'third-app' WHERE app = 'my-app'",
		"cut off":               "UPDATE variables SET value = substr(value, 1, 20) WHERE app = 'my-app'",
		"plain":                 "UPDATE variables SET value = 'chosen' WHERE app = 'my-app'",
		"empty":                 "UPDATE variables SET value = '' WHERE app = 'my-app'",
	} {
		t.Run(name, func(t *testing.T) {
			s := withApp(t)
			ctx := t.Context()
			for _, app := range []string{"other-app", "third-app"} {
				must(t, second(s.CreateApp(ctx, app, "alice")))
			}
			must(t, s.SetVariables(ctx, "my-app", map[string]string{"A": "1", "B": "2"}))
			must(t, s.SetVariables(ctx, "other-app", map[string]string{"A": "3"}))
			must(t, s.exec(ctx, "move", statement))
			app := "my-app"
			if name == "to another app" {
				app = "third-app"
			}
			vars, err := s.Variables(ctx, app)
			if err == nil || !strings.Contains(err.Error(), "the stored value was changed, or belongs to another variable") || vars != nil {
				t.Errorf("variables %v, error %v", vars, err)
			}
			if vars, err := s.Variables(ctx, "other-app"); err != nil || vars["A"] != "3" {
				t.Errorf("other-app: %v, %v", vars, err)
			}
		})
	}
}

// An app of a name that was there before does not open what its namesake had.
func TestValuesAreBoundToTheAppNotItsName(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	must(t, s.SetVariables(ctx, "my-app", map[string]string{"A": "1"}))
	var sealed []byte
	must(t, s.db.QueryRowContext(ctx, "SELECT value FROM variables").Scan(&sealed))
	must(t, s.DeleteApp(ctx, "my-app"))
	must(t, second(s.CreateApp(ctx, "my-app", "alice")))
	must(t, s.exec(ctx, "replay", "INSERT INTO variables (app, name, value) VALUES ('my-app', 'A', ?)", sealed))
	wantErr(t, second(s.Variables(ctx, "my-app")), errTampered)
}

// closed is the path of a database that was closed, with variables of my-app.
func closed(t *testing.T, vars map[string]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "boathook.db")
	s, err := Open(t.Context(), path)
	must(t, err)
	must(t, second(s.CreateUser(t.Context(), "alice", false)))
	must(t, second(s.CreateApp(t.Context(), "my-app", "alice")))
	must(t, s.SetVariables(t.Context(), "my-app", vars))
	must(t, s.Close())
	return path
}

// refused checks that the database cannot be opened, why, and that neither it nor what lies beside it was touched.
func refused(t *testing.T, path, why string) {
	t.Helper()
	before := contents(t, filepath.Dir(path))
	s, err := Open(t.Context(), path)
	if err == nil {
		must(t, s.Close())
	}
	if err == nil || !strings.Contains(err.Error(), why) {
		t.Errorf("error %v, want %q", err, why)
	}
	if diff := cmp.Diff(before, contents(t, filepath.Dir(path))); diff != "" {
		t.Error("something was written: ", diff)
	}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := os.ReadDir(dir)
	must(t, err)
	all := map[string]string{}
	for _, file := range files {
		if strings.HasSuffix(file.Name(), "-shm") { // the index of the log, made anew by each first reader
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, file.Name()))
		must(t, err)
		all[file.Name()] = string(text)
	}
	return all
}

func TestKeyFile(t *testing.T) {
	path := closed(t, map[string]string{"A": "1"})
	key := filepath.Join(filepath.Dir(path), "secrets.key")
	info, err := os.Stat(key)
	must(t, err)
	text, err := os.ReadFile(key)
	must(t, err)
	if info.Mode() != 0o600 || !strings.HasPrefix(string(text), "# ") || !strings.Contains(string(text), "\nboathook-key-1 ") {
		t.Errorf("mode %v, text %q", info.Mode(), text)
	}

	for _, mode := range []os.FileMode{0o640, 0o604, 0o644} {
		must(t, os.Chmod(key, mode))
		refused(t, path, fmt.Sprintf("secrets.key can be read by others (mode %#o): run 'chmod 600 ", mode))
	}
	must(t, os.Chmod(key, 0o600))
	must(t, os.WriteFile(key, []byte("boathook-key-1 c2hvcnQ=\n"), 0o600))
	refused(t, path, "secrets.key holds no key: put it back from a backup")

	must(t, os.Remove(key))
	refused(t, path, "secrets.key is missing, without which the variables of the apps cannot be read: put it back from a backup")

	strange := filepath.Join(filepath.Dir(closed(t, nil)), "secrets.key")
	must(t, os.Rename(strange, key))
	refused(t, path, "secrets.key is not the key that the variables in "+path+" were sealed with")

	must(t, os.WriteFile(key, text, 0o600))
	vars, err := open(t, path).Variables(t.Context(), "my-app")
	must(t, err)
	if diff := cmp.Diff(map[string]string{"A": "1"}, vars); diff != "" {
		t.Error(diff)
	}
}

// Without values nothing is lost with the key.
func TestKeyIsMadeWhileNothingNeedsOne(t *testing.T) {
	path := closed(t, nil)
	must(t, os.Remove(filepath.Join(filepath.Dir(path), "secrets.key")))
	s := open(t, path)
	must(t, s.SetVariables(t.Context(), "my-app", map[string]string{"A": "1"}))
	if _, err := s.Variables(t.Context(), "my-app"); err != nil {
		t.Error(err)
	}
}

// Half of a restored data directory, or one whose database was deleted, is no new data directory.
func TestKeyWithoutDatabaseIsRefused(t *testing.T) {
	path := closed(t, nil)
	must(t, os.Remove(path))
	refused(t, path, "is missing, but its key "+filepath.Join(filepath.Dir(path), "secrets.key")+" is there")
}
