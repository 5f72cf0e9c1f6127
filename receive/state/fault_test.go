package state

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"
)

// overwrite damages a file of a database that was closed.
func overwrite(t *testing.T, path string, at int64, size int) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	must(t, second(file.WriteAt(bytes.Repeat([]byte{0xa5}, size), at)))
	must(t, file.Close())
}

func TestDamagedDatabaseIsRefused(t *testing.T) {
	const page = 4096 // bytes, SQLite's default
	for name, damage := range map[string]func(t *testing.T, path string){
		"header":      func(t *testing.T, path string) { overwrite(t, path, 0, 100) },
		"first page":  func(t *testing.T, path string) { overwrite(t, path, 100, page-100) },
		"later pages": func(t *testing.T, path string) { overwrite(t, path, 4*page, 3*page) },
		"cut off": func(t *testing.T, path string) {
			info, err := os.Stat(path)
			must(t, err)
			must(t, os.Truncate(path, info.Size()/2))
		},
		"a letter": func(t *testing.T, path string) {
			must(t, os.WriteFile(path, []byte(strings.Repeat("this is a letter, not a database\n", 200)), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := closed(t, map[string]string{"A": "1"})
			damage(t, path)
			refused(t, path, "the database is damaged: stop boathook, move the data directory away and put the last backup in its place with 'boathook restore'")
		})
	}
}

// fill lets the database grow no more, as a full disk does, until the returned function is called.
func fill(t *testing.T, s *Store) (free func()) {
	t.Helper()
	var pages int
	must(t, s.db.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages))
	limit := func(n int) {
		must(t, second(s.db.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", n))))
	}
	limit(pages)
	return func() { limit(1 << 30) }
}

func wantFull(t *testing.T, err error) {
	t.Helper()
	wantErr(t, err, ErrFull)
	if err == nil || !strings.Contains(err.Error(), "the disk of the data directory is full: free some space, then try again") {
		t.Errorf("error %v", err)
	}
}

func TestFullDiskWhileTheLogGrows(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	id := deployed(t, s, Building)
	must(t, s.AppendLog(ctx, id, []byte("before\n")))
	free := fill(t, s)
	wantFull(t, s.AppendLog(ctx, id, bytes.Repeat([]byte("x"), 1<<20)))
	free()
	must(t, s.AppendLog(ctx, id, []byte("after\n")))
	var log bytes.Buffer
	must(t, second(s.WriteLog(ctx, id, 0, &log)))
	if log.String() != "before\nafter\n" {
		t.Errorf("log %q", log.String())
	}
}

// A change of status is recorded as a whole or not at all, and can be made once there is space.
func TestFullDiskAtAChangeOfStatus(t *testing.T) {
	types := []ProcessType{{Name: "web", Command: strings.Repeat("c", 1<<16), Amount: 1, Size: "M"}}
	for _, test := range []struct {
		name   string
		change func(s *Store, id int64) error
		after  Status
	}{
		{"GoLive", func(s *Store, id int64) error { return s.GoLive(t.Context(), id, types) }, Success},
		{"SetStatus", func(s *Store, id int64) error {
			return s.SetStatus(t.Context(), id, HookError, strings.Repeat("r", 1<<16))
		}, HookError},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := withApp(t)
			ctx := t.Context()
			old := started(t, s)
			must(t, s.GoLive(ctx, old, nil))
			id := started(t, s)
			free := fill(t, s)
			wantFull(t, test.change(s, id))
			d, err := s.Deployment(ctx, id)
			must(t, err)
			app, err := s.App(ctx, "my-app")
			must(t, err)
			if d.Status != Starting || len(d.Transitions) != 4 || app.Live != old {
				t.Errorf("half of it was recorded: %+v, live %d", d, app.Live)
			}
			free()
			must(t, test.change(s, id))
			if d, err := s.Deployment(ctx, id); err != nil || d.Status != test.after {
				t.Errorf("then %+v, %v", d, err)
			}
		})
	}
}

func TestDatabaseHeldByAnother(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	id := deployed(t, s)
	must(t, s.exec(ctx, "patience", "PRAGMA busy_timeout = 20"))
	other, err := sql.Open("sqlite", "file:"+s.path+"?_txlock=immediate")
	must(t, err)
	defer other.Close()
	held, err := other.BeginTx(ctx, nil)
	must(t, err)
	for name, err := range map[string]error{
		"SetStatus": s.SetStatus(ctx, id, Building, ""), "AppendLog": s.AppendLog(ctx, id, []byte("x")), "SetVariables": s.SetVariables(ctx, "my-app", map[string]string{"A": "1"}),
	} {
		wantErr(t, err, ErrLocked)
		if err == nil || !strings.Contains(err.Error(), "another program holds the database: end it") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if d, err := s.Deployment(ctx, id); err != nil || d.Status != Queued { // reading goes on
		t.Errorf("%+v, %v", d, err)
	}
	must(t, held.Rollback())
	must(t, s.SetStatus(ctx, id, Building, ""))
}
