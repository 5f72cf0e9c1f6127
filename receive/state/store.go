// Package state is what boathook knows: apps, their variables and formation, releases, deployments and their logs, users
// and keys, in one SQLite database.
//
// It checks what must never be stored (illegal status changes, a second live release), not who may ask: that is
// package apps.
package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Store is the database. All methods are safe for concurrent use.
type Store struct {
	db    *sql.DB
	path  string
	vault *vault
	kept  string // see Kept
}

// Open opens the database file, creating it if there is none, and brings its schema up to date; of an older one it keeps a copy.
// The key to the variables lies beside it, in secrets.key. Both files are for their owner alone. Refused, with what to do and
// without writing: a database that is damaged, of a newer schema, or whose key is away.
func Open(ctx context.Context, path string) (*Store, error) {
	s := &Store{path: path}
	if err := s.create(); err != nil {
		return nil, err
	}
	if err := s.connect("rwc"); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

// Copy writes a consistent copy of the database at path to another file, which only its owner may read, while another process
// works with it. Nothing is migrated and nothing checked.
func Copy(ctx context.Context, path, to string) error {
	s := &Store{path: path}
	if err := s.connect("rw"); err != nil {
		return err
	}
	return errors.Join(s.copyTo(ctx, to), s.db.Close())
}

// Check tells whether this program would take the database at path, which another process may work with. Nothing is migrated.
func Check(ctx context.Context, path string) error {
	s := &Store{path: path}
	if err := s.connect("rw"); err != nil {
		return err
	}
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err == nil {
		_, err = s.check(ctx, len(files))
	}
	return errors.Join(err, s.db.Close())
}

// connect opens the file; mode is SQLite's: "rw", or "rwc" to create.
func (s *Store) connect(mode string) (err error) {
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: s.path}).EscapedPath(), RawQuery: url.Values{
		// secure_delete: what was unset or destroyed is overwritten, not only forgotten.
		"_pragma": {"busy_timeout(10000)", "journal_mode(wal)", "synchronous(full)", "foreign_keys(1)", "secure_delete(1)"},
		"_txlock": {"immediate"},
		"mode":    {mode},
	}.Encode()}
	if s.db, err = sql.Open("sqlite", dsn.String()); err != nil {
		return err
	}
	// SQLite has one writer; one connection makes its queue ours, and no call can see SQLITE_BUSY from another of this process.
	s.db.SetMaxOpenConns(1)
	return nil
}

// create makes the database file if there is none.
func (s *Store) create() error {
	_, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(s.keyFile()); err == nil {
			return fmt.Errorf("%s is missing, but its key %s is there: put it back from a backup, or move the key away to start anew", s.path, s.keyFile())
		}
	}
	err = private(s.path)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w: let the user that runs boathook write in %s, or choose another data directory", err, filepath.Dir(s.path))
	}
	return err
}

// private makes the file one that only its owner may read. SQLite gives the files beside it (-wal, -shm) the same mode.
func private(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(file.Chmod(0o600), file.Close())
}

// prepare finds out what the file holds before anything is written to it, and makes it a database of this program's schema.
func (s *Store) prepare(ctx context.Context) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	version, err := s.check(ctx, len(files))
	if err != nil {
		return err
	}
	if err := s.unlock(ctx, version); err != nil {
		return err
	}
	if 0 < version && version < len(files) {
		if err := s.keepOld(ctx, version); err != nil {
			return err
		}
	}
	return s.upgrade(ctx, version, files)
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// write runs f in a transaction.
func (s *Store) write(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		if undone := tx.Rollback(); !errors.Is(undone, sql.ErrTxDone) { // done: by the end of ctx
			err = errors.Join(err, undone)
		}
		return err
	}
	err = tx.Commit()
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil { // database/sql saw the end of ctx first, and undid it
		err = context.Cause(ctx)
	}
	return err
}

// exec runs one statement; what names the thing in an error.
func (s *Store) exec(ctx context.Context, what, query string, args ...any) error {
	_, err := s.db.ExecContext(ctx, query, args...)
	return named(what, err)
}

// execOne is exec for a statement that must touch a row.
func (s *Store) execOne(ctx context.Context, what, query string, args ...any) error {
	result, err := s.db.ExecContext(ctx, query, args...)
	if err != nil {
		return named(what, err)
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return named(what, err)
}

// query collects the rows that scan reads.
func query[T any](ctx context.Context, s *Store, scan func(row) (T, error), text string, args ...any) ([]T, error) {
	return collect(ctx, s.db, scan, text, args...)
}

// collect is query on a *sql.DB or *sql.Tx.
func collect[T any](ctx context.Context, from source, scan func(row) (T, error), text string, args ...any) ([]T, error) {
	rows, err := from.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, explained(err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, explained(rows.Err())
}

type source interface {
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

// row is a *sql.Row or *sql.Rows.
type row interface{ Scan(dest ...any) error }

func now() int64 { return time.Now().UnixMicro() }

// at is the time of a column; 0 is the zero time.
func at(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// micros is the column of a time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func placeholders(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }
