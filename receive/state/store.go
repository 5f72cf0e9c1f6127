// Package state is what boathook knows: apps, their variables and formation, releases, deployments and their logs, users
// and keys, in one SQLite database.
//
// It checks what must never be stored (illegal status changes, a second live release), not who may ask: that is
// package apps.
package state

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrNotFound is wrapped where a row does not exist.
	ErrNotFound = errors.New("not found")
	// ErrExists is wrapped where a name or a key is taken.
	ErrExists = errors.New("already exists")
	// ErrInUse is wrapped where something cannot be removed because another thing needs it.
	ErrInUse = errors.New("in use")
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is the database. All methods are safe for concurrent use.
type Store struct {
	db *sql.DB
}

// Open opens the database file, creating it if there is none, and brings its schema up to date. Its mode becomes 0600: the
// variables hold secrets. A schema newer than this program is refused, and nothing is written to it.
func Open(ctx context.Context, path string) (*Store, error) {
	if err := private(path); err != nil {
		return nil, err
	}
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: url.Values{
		"_pragma": {"journal_mode(wal)", "synchronous(full)", "busy_timeout(10000)", "foreign_keys(1)"},
		"_txlock": {"immediate"},
	}.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	// SQLite has one writer; one connection makes its queue ours, and no call can see SQLITE_BUSY from another of this process.
	db.SetMaxOpenConns(1)
	s := &Store{db: db}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// private makes the file one that only its owner may read. SQLite gives the files beside it (-wal, -shm) the same mode.
func private(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(file.Chmod(0o600), file.Close())
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// migrate applies the embedded files that the database has not seen; PRAGMA user_version counts those applied.
func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	var version int
	if err := s.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return fmt.Errorf("not a readable database: %w; restore it from a backup, or move it away to start anew", err)
	}
	if version > len(files) {
		return fmt.Errorf("the database has schema %d, this boathook knows %d: start the newer boathook", version, len(files))
	}
	for i := version; i < len(files); i++ {
		text, err := migrations.ReadFile(files[i])
		if err != nil {
			return err
		}
		err = s.write(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, string(text)); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", i+1))
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", files[i], err)
		}
	}
	return nil
}

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

// named says what an error is about, in this package's own sentinels where there is one.
func named(what string, err error) error {
	var constraint *sqlite.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		err = ErrNotFound
	case errors.As(err, &constraint):
		switch constraint.Code() {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
			err = ErrExists
		case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
			err = ErrNotFound
		case sqlite3.SQLITE_CONSTRAINT_TRIGGER: // what ON DELETE RESTRICT raises
			err = ErrInUse
		}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// query collects the rows that scan reads.
func query[T any](ctx context.Context, s *Store, scan func(row) (T, error), text string, args ...any) ([]T, error) {
	rows, err := s.db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
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
	return all, rows.Err()
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

func placeholders(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }
