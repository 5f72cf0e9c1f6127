package state

import (
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// schema1 makes a database as the first boathook did, with plain values, one of them changed since and one forgotten.
func schema1(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "boathook.db")
	must(t, os.WriteFile(path, nil, 0o600))
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(wal)&_pragma=secure_delete(0)")
	must(t, err)
	text, err := migrations.ReadFile("migrations/0001_initial.sql")
	must(t, err)
	for _, statement := range []string{
		string(text), "PRAGMA user_version = 1", "INSERT INTO users (name, created) VALUES ('alice', 1)",
		"INSERT INTO apps (id, name, owner, created) VALUES (7, 'my-app', 'alice', 1), (8, 'other-app', 'alice', 1)",
		"INSERT INTO variables VALUES ('my-app', 'A', 'plain-secret-1'), ('my-app', 'B', ''), ('other-app', 'A', 'plain-secret-' || hex(zeroblob(9000)))",
		"INSERT INTO variables VALUES ('my-app', 'GONE', replace(hex(zeroblob(9000)), '00', 'plain-secret-'))", "DELETE FROM variables WHERE name = 'GONE'",
		"INSERT INTO audit (at, user, fingerprint, remote, app, action, result) VALUES (1, 'alice', '', '', 'my-app', 'env-set', 'ok'), (2, 'bob', '', '', 'my-app', 'env', 'refused')",
	} {
		must(t, second(db.ExecContext(t.Context(), statement)))
	}
	must(t, db.Close())
	if len(filesWith(t, filepath.Dir(path), "plain-secret")) == 0 {
		t.Fatal("nothing to seal")
	}
	return path
}

func TestValuesOfSchema1AreSealed(t *testing.T) {
	path := schema1(t)
	s := open(t, path)
	vars, err := s.Variables(t.Context(), "my-app")
	must(t, err)
	if diff := cmp.Diff(map[string]string{"A": "plain-secret-1", "B": ""}, vars); diff != "" {
		t.Error(diff)
	}
	if vars, err = s.Variables(t.Context(), "other-app"); err != nil || len(vars["A"]) != 13+18000 {
		t.Errorf("other-app: %d bytes, %v", len(vars["A"]), err)
	}
	// Not in the table, in no free page, and not in the write-ahead log; only the copy of before has them.
	if diff := cmp.Diff([]string{"boathook.db.schema-1"}, filesWith(t, filepath.Dir(path), "plain-secret")); diff != "" {
		t.Error(diff)
	}
}

// A crash right after the values were sealed leaves the rewriting of the file to the next start.
func TestMigrationGoesOnAfterACrash(t *testing.T) {
	path := schema1(t)
	s := &Store{path: path}
	must(t, s.connect("rw"))
	must(t, s.unlock(t.Context(), 1))
	must(t, s.upgrade(t.Context(), 1, []string{"", "migrations/0002_sealed.sql"}))
	must(t, s.Close())
	if len(filesWith(t, filepath.Dir(path), "plain-secret")) == 0 {
		t.Fatal("nothing is left over: the test shows nothing")
	}
	s = open(t, path)
	if vars, err := s.Variables(t.Context(), "my-app"); err != nil || vars["A"] != "plain-secret-1" {
		t.Errorf("variables %v, %v", vars, err)
	}
	if found := filesWith(t, filepath.Dir(path), "plain-secret"); slices.Contains(found, "boathook.db") || slices.Contains(found, "boathook.db-wal") {
		t.Errorf("%v hold a value", found)
	}
}

func TestOldDatabaseIsKept(t *testing.T) {
	path := schema1(t)
	older := path + ".schema-0"
	must(t, os.WriteFile(older, nil, 0o600))
	s := open(t, path)
	kept := path + ".schema-1"
	if s.Kept() != kept {
		t.Errorf("kept %q", s.Kept())
	}
	info, err := os.Stat(kept)
	must(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	wantErr(t, second(os.Stat(older)), fs.ErrNotExist) // one copy is enough

	db, err := sql.Open("sqlite", "file:"+kept)
	must(t, err)
	defer db.Close()
	var value string
	must(t, db.QueryRowContext(t.Context(), "SELECT value FROM variables WHERE app = 'my-app' AND name = 'A'").Scan(&value))
	if value != "plain-secret-1" {
		t.Errorf("value %q", value)
	}
}

// Without room for the copy nothing is migrated.
func TestMigrationNeedsItsCopy(t *testing.T) {
	path := schema1(t)
	must(t, os.MkdirAll(path+".schema-1.new/in the way", 0o700))
	if _, err := Open(t.Context(), path); err == nil {
		t.Fatal("opened")
	}
	must(t, os.RemoveAll(path+".schema-1.new"))
	s := &Store{path: path}
	must(t, s.connect("rw"))
	if version, err := s.check(t.Context(), latest(t)); err != nil || version != 1 {
		t.Errorf("schema %d, %v", version, err)
	}
	must(t, s.Close())
	if vars, err := open(t, path).Variables(t.Context(), "my-app"); err != nil || vars["A"] != "plain-secret-1" {
		t.Errorf("variables %v, %v", vars, err)
	}
}

// The second start has nothing to migrate and makes no copy.
func TestCurrentSchemaIsNotCopied(t *testing.T) {
	path := closed(t, nil)
	if s := open(t, path); s.Kept() != "" {
		t.Errorf("kept %q", s.Kept())
	}
	files, err := os.ReadDir(filepath.Dir(path))
	must(t, err)
	for _, file := range files {
		if name := file.Name(); !slices.Contains([]string{"boathook.db", "boathook.db-shm", "boathook.db-wal", "secrets.key"}, name) {
			t.Errorf("%s was made", name)
		}
	}
}

func TestCopyWhileAnotherWrites(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	must(t, s.SetVariables(ctx, "my-app", map[string]string{"A": "a-secret-value"}))
	id := deployed(t, s)
	stop := make(chan struct{})
	written := make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				written <- nil
				return
			default:
				if err := s.AppendLog(ctx, id, []byte("line\n")); err != nil {
					written <- err
					return
				}
			}
		}
	}()
	dir := t.TempDir()
	to := filepath.Join(dir, "boathook.db")
	for range 5 {
		must(t, Copy(ctx, s.path, to))
	}
	close(stop)
	must(t, <-written)
	if info, err := os.Stat(to); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if found := filesWith(t, dir, "a-secret-value"); len(found) > 0 {
		t.Errorf("%v hold a value", found)
	}
	key, err := os.ReadFile(s.keyFile())
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "secrets.key"), key, 0o600))
	copied := open(t, to)
	if vars, err := copied.Variables(ctx, "my-app"); err != nil || vars["A"] != "a-secret-value" {
		t.Errorf("variables %v, %v", vars, err)
	}
}

func TestCopyOfNothing(t *testing.T) {
	dir := t.TempDir()
	if err := Copy(t.Context(), filepath.Join(dir, "none.db"), filepath.Join(dir, "copy.db")); err == nil {
		t.Error("copied")
	}
	wantErr(t, second(os.Stat(filepath.Join(dir, "none.db"))), fs.ErrNotExist)
}
