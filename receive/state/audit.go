package state

import (
	"context"
	"database/sql"
	"time"
)

// AuditClass is what an entry is of. Each class is bounded by itself, so that who is refused often enough cannot push out what was
// done, nor who has no key at all what users were refused.
type AuditClass int

// The classes, as stored.
const (
	Changed  AuditClass = iota // something was done
	Refused                    // to a user
	Stranger                   // to somebody whose key nobody knows
)

// auditBound is how many entries of each class are kept, the newest ones: a busy year of changes, of about 300 bytes each, and
// refusals enough to see what somebody tried, in 50 MB at most.
var auditBound = [...]int64{Changed: 100_000, Refused: 50_000, Stranger: 10_000}

// auditSlack is after how many entries those beyond the bounds are removed, as that need not be done each time.
const auditSlack = 256

// AuditEntry is who did, or was refused, what.
type AuditEntry struct {
	At                                             time.Time
	Class                                          AuditClass
	User, Fingerprint, Remote, App, Action, Result string
}

// Audit stores an entry; its time is now.
func (s *Store) Audit(ctx context.Context, e AuditEntry) error {
	return named("audit", s.write(ctx, func(tx *sql.Tx) error { return audit(ctx, tx, e) }))
}

func audit(ctx context.Context, tx *sql.Tx, e AuditEntry) error {
	result, err := tx.ExecContext(ctx, "INSERT INTO audit (at, class, user, fingerprint, remote, app, action, result) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		now(), e.Class, e.User, e.Fingerprint, e.Remote, e.App, e.Action, e.Result)
	if err != nil {
		return err
	}
	id, err := result.LastInsertId()
	if err != nil || id%auditSlack != 0 {
		return err
	}
	return trimAudit(ctx, tx)
}

func trimAudit(ctx context.Context, tx *sql.Tx) error {
	for class, bound := range auditBound {
		_, err := tx.ExecContext(ctx, `DELETE FROM audit WHERE class = ? AND id <=
			(SELECT id FROM audit WHERE class = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`, class, class, bound)
		if err != nil {
			return err
		}
	}
	return nil
}

const auditColumns = "at, class, user, fingerprint, remote, app, action, result"

func scanAuditEntry(r row) (e AuditEntry, err error) {
	var when int64
	err = r.Scan(&when, &e.Class, &e.User, &e.Fingerprint, &e.Remote, &e.App, &e.Action, &e.Result)
	e.At = at(when)
	return e, err
}

// AuditEntries returns the newest entries first, at most limit of them (0: all).
func (s *Store) AuditEntries(ctx context.Context, limit int) ([]AuditEntry, error) {
	return query(ctx, s, scanAuditEntry, "SELECT "+auditColumns+" FROM audit ORDER BY id DESC LIMIT ?", orAll(limit))
}

// AppAudit is AuditEntries for one app, since it was created, under each of its names while it had them: of another one of such a name
// nothing is told.
func (s *Store) AppAudit(ctx context.Context, app App, limit int) ([]AuditEntry, error) {
	return query(ctx, s, scanAuditEntry, `WITH RECURSIVE spans(name, since, until) AS (
			SELECT @name, (SELECT max(id) FROM audit WHERE app = @name AND `+isRename+`), 0x7fffffffffffffff
			UNION ALL
			SELECT substr(r.action, length(@from) + 1),
				(SELECT max(id) FROM audit WHERE app = substr(r.action, length(@from) + 1) AND id < r.id AND `+isRename+`), r.id
			FROM spans JOIN audit r ON r.id = spans.since
		)
		SELECT `+auditColumns+` FROM audit JOIN spans ON app = spans.name AND id >= coalesce(since, 0) AND id < until
		WHERE at >= @created ORDER BY id DESC LIMIT @limit`,
		sql.Named("name", app.Name), sql.Named("created", app.Created.UnixMicro()), sql.Named("from", RenamedFrom), sql.Named("limit", orAll(limit)))
}

// isRename is for the entries of RenameApp since @created.
const isRename = "class = 0 AND at >= @created AND substr(action, 1, length(@from)) = @from"

// orAll is SQLite's way to say that there is no limit.
func orAll(limit int) int {
	if limit <= 0 {
		return -1
	}
	return limit
}
