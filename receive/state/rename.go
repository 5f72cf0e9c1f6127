package state

import (
	"context"
	"database/sql"
)

// renameRows is for the tables that name the app: those whose rows follow it to another name without being told (ON UPDATE CASCADE) are not among them, and the audit
// keeps what was said at its time.
const renameRows = `
	UPDATE collaborators SET app = @new WHERE app = @old;
	UPDATE variables SET app = @new WHERE app = @old;
	UPDATE formation SET app = @new WHERE app = @old;
	UPDATE deployments SET app = @new WHERE app = @old;
	UPDATE releases SET app = @new WHERE app = @old`

// RenamedFrom begins the action of the audit's entry by which AppAudit finds what an app was called before.
const RenamedFrom = "rename from "

// RenameApp gives an app another name, with everything it has, and stores the entry, whose action is RenamedFrom and the old name. ErrNotFound if
// there is no such app, ErrExists if the new name is taken.
func (s *Store) RenameApp(ctx context.Context, old, name string, entry AuditEntry) error {
	return named("app "+old, s.write(ctx, func(tx *sql.Tx) error {
		// Until the end of the transaction rows may refer to the name that is not there any more.
		if _, err := tx.ExecContext(ctx, "PRAGMA defer_foreign_keys = 1"); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, "UPDATE apps SET name = ? WHERE name = ?", name, old)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return orNotFound(err)
		}
		if _, err := tx.ExecContext(ctx, renameRows, sql.Named("old", old), sql.Named("new", name)); err != nil {
			return err
		}
		return audit(ctx, tx, entry)
	}))
}
