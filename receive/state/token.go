package state

import (
	"context"
	"time"
)

// Token is what a program shows instead of a key, to act as a user. Only the hash of its secret is stored.
type Token struct {
	ID       int64 // part of the token
	User     string
	Name     string
	Hash     []byte    // SHA-256 of the secret
	Expires  time.Time // zero: never
	Added    time.Time
	LastUsed time.Time // zero: never
}

const tokenColumns = "id, user, name, hash, expires, added, last_used"

func scanToken(r row) (t Token, err error) {
	var expires, added, used int64
	err = r.Scan(&t.ID, &t.User, &t.Name, &t.Hash, &expires, &added, &used)
	t.Expires, t.Added, t.LastUsed = at(expires), at(added), at(used)
	return t, err
}

// AddToken stores a token and returns its id. ErrExists if the user has another of this name.
func (s *Store) AddToken(ctx context.Context, t Token) (id int64, err error) {
	err = s.db.QueryRowContext(ctx, "INSERT INTO tokens (user, name, hash, expires, added) VALUES (?, ?, ?, ?, ?) RETURNING id",
		t.User, t.Name, t.Hash, micros(t.Expires), now()).Scan(&id)
	return id, named("token "+t.Name, err)
}

// Token returns one token.
func (s *Store) Token(ctx context.Context, id int64) (Token, error) {
	t, err := scanToken(s.db.QueryRowContext(ctx, "SELECT "+tokenColumns+" FROM tokens WHERE id = ?", id))
	return t, named("token", err)
}

// Tokens returns a user's tokens by name.
func (s *Store) Tokens(ctx context.Context, user string) ([]Token, error) {
	return query(ctx, s, scanToken, "SELECT "+tokenColumns+" FROM tokens WHERE user = ? ORDER BY name", user)
}

// DeleteToken removes a token of a user's.
func (s *Store) DeleteToken(ctx context.Context, user, name string) error {
	return s.execOne(ctx, "token", "DELETE FROM tokens WHERE user = ? AND name = ?", user, name)
}

// UseToken notes that a token was used now, as exactly as UseKey.
func (s *Store) UseToken(ctx context.Context, id int64) error {
	used := now()
	return s.exec(ctx, "token", "UPDATE tokens SET last_used = ? WHERE id = ? AND last_used < ?", used, id, used-usePrecision.Microseconds())
}
