package state

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed migrations/*.sql
var migrations embed.FS

// upgrade brings the schema from version to that of this program. PRAGMA user_version counts the migrations that were applied.
func (s *Store) upgrade(ctx context.Context, version int, files []string) error {
	for i := version; i < len(files); i++ {
		if err := s.migrate(ctx, i+1, files[i]); err != nil {
			return named(fmt.Sprintf("%s: %s", s.path, files[i]), err)
		}
	}
	return nil
}

// migrate applies one migration, all of it or nothing.
func (s *Store) migrate(ctx context.Context, number int, file string) error {
	text, err := migrations.ReadFile(file)
	if err != nil {
		return err
	}
	if number == 3 {
		// What 0002 sealed may be left in free pages and in the write-ahead log. Here, as a crash then leads here again.
		if err := s.rewrite(ctx); err != nil {
			return err
		}
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, string(text)); err != nil {
			return err
		}
		if number == 2 {
			if err := s.sealPlain(ctx, tx); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", number))
		return err
	})
}

// rewrite writes the whole file anew, without free pages, and empties the write-ahead log.
func (s *Store) rewrite(ctx context.Context) error {
	for _, statement := range []string{"VACUUM", "PRAGMA wal_checkpoint(truncate)"} {
		if _, err := s.db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// sealPlain moves the values of schema 1 into the table of schema 2.
func (s *Store) sealPlain(ctx context.Context, tx *sql.Tx) error {
	type variable struct {
		id               int64
		app, name, value string
	}
	plain, err := collect(ctx, tx, func(r row) (v variable, err error) {
		err = r.Scan(&v.id, &v.app, &v.name, &v.value)
		return v, err
	}, "SELECT a.id, v.app, v.name, v.value FROM plain_variables v JOIN apps a ON a.name = v.app")
	if err != nil {
		return err
	}
	for _, v := range plain {
		_, err := tx.ExecContext(ctx, "INSERT INTO variables (app, name, value) VALUES (?, ?, ?)", v.app, v.name, s.vault.seal(v.id, v.name, v.value))
		if err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, "DROP TABLE plain_variables")
	return err
}

// keepOld copies the database before it is migrated, so that the boathook that it was made by can be put back. One copy is kept,
// that of the last migration. It is as secret as the database, and one of schema 1 has its values unsealed.
func (s *Store) keepOld(ctx context.Context, version int) error {
	copied := fmt.Sprintf("%s.schema-%d", s.path, version)
	if err := s.copyTo(ctx, copied+".new"); err != nil {
		return fmt.Errorf("copy of the database: %w", errors.Join(err, remove(copied+".new")))
	}
	if err := os.Rename(copied+".new", copied); err != nil {
		return err
	}
	s.kept = copied
	dir := filepath.Dir(s.path)
	files, err := os.ReadDir(dir)
	for _, file := range files {
		path := filepath.Join(dir, file.Name())
		if strings.HasPrefix(path, s.path+".schema-") && path != copied {
			err = errors.Join(err, remove(path))
		}
	}
	return errors.Join(err, syncDir(dir))
}

// Kept is the copy that Open kept of a database of an older schema, "" if there was nothing to migrate.
func (s *Store) Kept() string { return s.kept }

// copyTo writes a consistent copy of the database in place of the file there, and returns when it is on disk.
func (s *Store) copyTo(ctx context.Context, path string) error {
	if err := remove(path); err != nil {
		return err
	}
	if err := private(path); err != nil {
		return err
	}
	if _, err := s.db.ExecContext(ctx, "VACUUM INTO ?", path); err != nil { // into an empty file, whose mode stays
		return named("copy", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
