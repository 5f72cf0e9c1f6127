package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

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

	// What follows is wrapped where the machine is at fault. Nothing was changed then: a transaction is whole or not at all.

	// ErrFull tells that the file system, or the user's share of it, is full.
	ErrFull = errors.New("the disk of the data directory is full: free some space, then try again")
	// ErrReadOnly tells that the files cannot be written to any more.
	ErrReadOnly = errors.New("the data directory cannot be written to: see whether its file system is mounted read-only, and who owns it")
	// ErrLocked tells that somebody else has kept the database locked for 10 seconds.
	ErrLocked = errors.New("another program holds the database: end it ('fuser boathook.db' names it), then try again")
	// ErrDamaged tells that the file is not a whole database.
	ErrDamaged = errors.New("the database is damaged: stop boathook, move the data directory away and put the last backup in its place with 'boathook restore'")
)

// named says what an error is about, in this package's own sentinels where there is one.
func named(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, explained(err))
}

// explained is the sentinel for an error of SQLite's, with SQLite's own words where the machine is at fault; another error stays as
// it is.
func explained(err error) error {
	var fault *sqlite.Error
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	if !errors.As(err, &fault) {
		return err
	}
	for _, known := range []error{ErrFull, ErrReadOnly, ErrLocked, ErrDamaged} {
		if errors.Is(err, known) {
			return err
		}
	}
	switch fault.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return ErrExists
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return ErrNotFound
	case sqlite3.SQLITE_CONSTRAINT_TRIGGER: // what ON DELETE RESTRICT raises
		return ErrInUse
	}
	var sentinel error
	switch fault.Code() & 0xff { // the primary code of an extended one
	case sqlite3.SQLITE_FULL:
		sentinel = ErrFull
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		sentinel = ErrReadOnly
	case sqlite3.SQLITE_BUSY:
		sentinel = ErrLocked
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		sentinel = ErrDamaged
	default:
		return err
	}
	return fmt.Errorf("%w (%w)", sentinel, err)
}

// check reads the schema's version and, from one end to the other, whether the file is whole; latest is the newest schema that this
// program knows. It writes nothing. Reading a gigabyte takes about two seconds.
func (s *Store) check(ctx context.Context, latest int) (version int, err error) {
	if err := s.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return 0, named(s.path, err)
	}
	if version > latest {
		return 0, fmt.Errorf("%s has schema %d, and this boathook knows schemas up to %d: start the newer boathook that has used it, or restore a backup from before", s.path, version, latest)
	}
	var finding string
	if err := s.db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&finding); err != nil {
		return 0, named(s.path, err)
	}
	if finding != "ok" {
		return 0, fmt.Errorf("%s: %w (%s)", s.path, ErrDamaged, finding)
	}
	return version, nil
}
