package state

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// open opens a database and closes it at the end of the test.
func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// withApp is a new store with user alice, who owns my-app.
func withApp(t *testing.T) *Store {
	t.Helper()
	s := open(t, filepath.Join(t.TempDir(), "boathook.db"))
	must(t, second(s.CreateUser(t.Context(), "alice", false)))
	must(t, second(s.CreateApp(t.Context(), "my-app", "alice")))
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func second[T any](_ T, err error) error { return err }

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

func TestOpenIsPrivate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "boathook.db")
	must(t, os.WriteFile(path, nil, 0o644)) // made by somebody careless
	s := open(t, path)
	must(t, second(s.CreateUser(t.Context(), "alice", false)))
	files, err := os.ReadDir(dir)
	must(t, err)
	if len(files) < 2 {
		t.Errorf("%d files, want the database and its write-ahead log", len(files))
	}
	for _, file := range files {
		info, err := file.Info()
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", file.Name(), info.Mode())
		}
	}
}

func TestOpenPathWithSpecialCharacters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c#d%20e.db")
	open(t, path)
	info, err := os.Stat(path)
	must(t, err)
	if info.Size() == 0 {
		t.Error("the schema went into another file")
	}
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "boathook.db")
	s, err := Open(t.Context(), path)
	must(t, err)
	must(t, second(s.CreateUser(t.Context(), "alice", true)))
	want, err := s.CreateApp(t.Context(), "my-app", "alice")
	must(t, err)
	must(t, s.SetVariables(t.Context(), "my-app", map[string]string{"A": "1"}))
	must(t, s.Close())

	s = open(t, path)
	got, err := s.App(t.Context(), "my-app")
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	vars, err := s.Variables(t.Context(), "my-app")
	must(t, err)
	if diff := cmp.Diff(map[string]string{"A": "1"}, vars); diff != "" {
		t.Error(diff)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "boathook.db")
	s, err := Open(t.Context(), path)
	must(t, err)
	must(t, s.exec(t.Context(), "version", "PRAGMA user_version = 999"))
	must(t, s.Close())
	before, err := os.ReadFile(path)
	must(t, err)

	_, err = Open(t.Context(), path)
	for _, err := range []error{err, Check(t.Context(), path)} {
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf(" has schema 999, and this boathook knows schemas up to %d: start the newer boathook", latest(t))) {
			t.Errorf("error %v", err)
		}
	}
	after, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the database was written to")
	}
}

// latest is the schema of this program.
func latest(t *testing.T) int {
	t.Helper()
	files, err := fs.Glob(migrations, "migrations/*.sql")
	must(t, err)
	return len(files)
}

func TestMigrationsRunOnce(t *testing.T) {
	s := withApp(t)
	must(t, s.prepare(t.Context())) // would say that the tables exist
	var version int
	must(t, s.db.QueryRowContext(t.Context(), "PRAGMA user_version").Scan(&version))
	if version != latest(t) || s.Kept() != "" {
		t.Errorf("schema %d, kept %q", version, s.Kept())
	}
}

func TestWriteIsUndoneAsAWhole(t *testing.T) {
	s := withApp(t)
	boom := errors.New("boom")
	insert := func(tx *sql.Tx) error {
		return second(tx.Exec("INSERT INTO variables (app, name, value) VALUES ('my-app', 'A', '1')"))
	}
	err := s.write(t.Context(), func(tx *sql.Tx) error { return errors.Join(insert(tx), boom) })
	wantErr(t, err, boom)

	ctx, cancel := context.WithCancel(t.Context())
	err = s.write(ctx, func(tx *sql.Tx) error {
		defer cancel()
		return insert(tx)
	})
	wantErr(t, err, context.Canceled)
	vars, err := s.Variables(t.Context(), "my-app")
	must(t, err)
	if len(vars) > 0 {
		t.Errorf("left over: %v", vars)
	}
}

func TestConcurrentUse(t *testing.T) {
	s := withApp(t)
	d, err := s.CreateDeployment(t.Context(), Deployment{App: "my-app"})
	must(t, err)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				if err := s.AppendLog(t.Context(), d.ID, []byte("x")); err != nil {
					t.Error(err)
				}
				if _, err := s.Deployment(t.Context(), d.ID); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	var log bytes.Buffer
	must(t, second(s.WriteLog(t.Context(), d.ID, 0, &log)))
	if log.Len() != 160 {
		t.Errorf("%d bytes of log, want 160", log.Len())
	}
}

func TestTimes(t *testing.T) {
	if !at(0).IsZero() {
		t.Error("0 is not the zero time")
	}
	if got := at(1_700_000_000_123_456); got.Location() != time.UTC || got.Nanosecond() != 123_456_000 {
		t.Errorf("got %v", got)
	}
}
