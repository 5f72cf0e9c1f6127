package state

import (
	"context"
	"time"
)

// User is a person.
type User struct {
	ID      int64
	Name    string
	Admin   bool // may manage users and every app
	Created time.Time
}

func scanUser(r row) (u User, err error) {
	var created int64
	err = r.Scan(&u.ID, &u.Name, &u.Admin, &created)
	u.Created = at(created)
	return u, err
}

const userColumns = "id, name, admin, created"

// CreateUser stores a new user. ErrExists if the name is taken.
func (s *Store) CreateUser(ctx context.Context, name string, admin bool) (User, error) {
	if err := s.exec(ctx, "user "+name, "INSERT INTO users (name, admin, created) VALUES (?, ?, ?)", name, admin, now()); err != nil {
		return User{}, err
	}
	return s.User(ctx, name)
}

// User returns one user.
func (s *Store) User(ctx context.Context, name string) (User, error) {
	u, err := scanUser(s.db.QueryRowContext(ctx, "SELECT "+userColumns+" FROM users WHERE name = ?", name))
	return u, named("user "+name, err)
}

// Users returns all users by name.
func (s *Store) Users(ctx context.Context) ([]User, error) {
	return query(ctx, s, scanUser, "SELECT "+userColumns+" FROM users ORDER BY name")
}

// DeleteUser removes a user with keys and roles. ErrInUse while the user owns an app.
func (s *Store) DeleteUser(ctx context.Context, name string) error {
	return s.execOne(ctx, "user "+name, "DELETE FROM users WHERE name = ?", name)
}

// Key is a public key of a user.
type Key struct {
	ID          int64
	User        string
	Name        string
	Type        string    // "ssh-ed25519"
	Fingerprint string    // "SHA256:…", RFC 6594 style as OpenSSH prints it
	Blob        []byte    // wire form, RFC 4253 section 6.6
	App         string    // the one app that a deploy-only key is for, "" for all that the user may
	Expires     time.Time // zero: never
	Added       time.Time
	LastUsed    time.Time // zero: never
	LastFrom    string    // the address then, without the port
}

const keyColumns = "id, user, name, type, fingerprint, blob, COALESCE(app, ''), expires, added, last_used, last_from"

func scanKey(r row) (k Key, err error) {
	var expires, added, used int64
	err = r.Scan(&k.ID, &k.User, &k.Name, &k.Type, &k.Fingerprint, &k.Blob, &k.App, &expires, &added, &used, &k.LastFrom)
	k.Expires, k.Added, k.LastUsed = at(expires), at(added), at(used)
	return k, err
}

// AddKey stores a key. ErrExists if anybody has it already, or if the user has another of this name.
func (s *Store) AddKey(ctx context.Context, k Key) error {
	return s.exec(ctx, "key "+k.Name, "INSERT INTO keys (user, name, type, fingerprint, blob, app, expires, added) VALUES (?, ?, ?, ?, ?, NULLIF(?, ''), ?, ?)",
		k.User, k.Name, k.Type, k.Fingerprint, k.Blob, k.App, micros(k.Expires), now())
}

// KeyByBlob finds a key by its wire form.
func (s *Store) KeyByBlob(ctx context.Context, wire []byte) (Key, error) {
	k, err := scanKey(s.db.QueryRowContext(ctx, "SELECT "+keyColumns+" FROM keys WHERE blob = ?", wire))
	return k, named("key", err)
}

// KeyByFingerprint finds a key by "SHA256:…".
func (s *Store) KeyByFingerprint(ctx context.Context, fingerprint string) (Key, error) {
	k, err := scanKey(s.db.QueryRowContext(ctx, "SELECT "+keyColumns+" FROM keys WHERE fingerprint = ?", fingerprint))
	return k, named("key "+fingerprint, err)
}

// Keys returns a user's keys by name.
func (s *Store) Keys(ctx context.Context, user string) ([]Key, error) {
	return query(ctx, s, scanKey, "SELECT "+keyColumns+" FROM keys WHERE user = ? ORDER BY name", user)
}

// DeleteKey removes a key.
func (s *Store) DeleteKey(ctx context.Context, id int64) error {
	return s.execOne(ctx, "key", "DELETE FROM keys WHERE id = ?", id)
}

// usePrecision is how exactly uses are recorded: a use that would say nothing new within it writes nothing, and costs no fsync.
const usePrecision = time.Minute

// UseKey notes that a key was used now, from an address. A key that is gone is no error.
func (s *Store) UseKey(ctx context.Context, fingerprint, from string) error {
	used := now()
	return s.exec(ctx, "key "+fingerprint, "UPDATE keys SET last_used = ?, last_from = ? WHERE fingerprint = ? AND (last_used < ? OR last_from <> ?)",
		used, from, fingerprint, used-usePrecision.Microseconds(), from)
}
