package apps

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"boathook/receive/state"
)

// A token is tokenPrefix, its id, an underscore, and a secret of tokenSecret random bytes in unpadded base64url.
const (
	tokenPrefix = "boathook_"
	tokenSecret = 32
)

// ErrToken is the answer to what is no token, and to one that was removed or has expired.
var ErrToken = errors.New("this token is not valid (any more): 'tokens-add' makes one")

// NewToken is a token to be made.
type NewToken struct {
	User    string // "" the caller
	Name    string
	Expires time.Time // zero: never
}

// AddToken makes a token, by which a program may act as the user. It is returned this once: only a hash of it is kept.
func (s *Service) AddToken(ctx context.Context, c Caller, t NewToken) (string, error) {
	text, user, err := s.addToken(ctx, c, t)
	return text, s.record(ctx, c, "", tokenAction("tokens-add", c, user), err)
}

func tokenAction(verb string, c Caller, user string) string {
	return keyAction(verb, c, state.Key{User: user})
}

func (s *Service) addToken(ctx context.Context, c Caller, t NewToken) (text, user string, err error) {
	if user, err = s.person(ctx, c, t.User); err != nil {
		return "", "", err
	}
	if err := cmp.Or(checkLabel("a token", t.Name), checkExpiry(t.Expires), outlasts(c, user, t.Expires)); err != nil {
		return "", user, err
	}
	secret := make([]byte, tokenSecret)
	rand.Read(secret) // never fails
	hash := sha256.Sum256(secret)
	id, err := s.cfg.Store.AddToken(ctx, state.Token{User: user, Name: t.Name, Hash: hash[:], Expires: t.Expires})
	if errors.Is(err, state.ErrExists) {
		return "", user, fmt.Errorf("%s has a token named %s already: choose another name", user, t.Name)
	}
	if err != nil {
		return "", user, err
	}
	return tokenPrefix + strconv.FormatInt(id, 10) + "_" + base64.RawURLEncoding.EncodeToString(secret), user, nil
}

// Tokens returns the tokens of user, "" the caller.
func (s *Service) Tokens(ctx context.Context, c Caller, user string) ([]state.Token, error) {
	user, err := s.person(ctx, c, user)
	if err != nil {
		return nil, s.record(ctx, c, "", "tokens", err)
	}
	return s.cfg.Store.Tokens(ctx, user)
}

// RemoveToken removes a token of user's by name, and ends what it began.
func (s *Service) RemoveToken(ctx context.Context, c Caller, user, name string) error {
	whose, err := s.person(ctx, c, user)
	if err == nil {
		err = s.cfg.Store.DeleteToken(ctx, whose, name)
	}
	if errors.Is(err, state.ErrNotFound) {
		err = invalidf("there is no token %q: 'tokens' lists them", name)
	}
	if err == nil {
		err = s.endAccess(ctx, nil)
	}
	return s.record(ctx, c, "", tokenAction("tokens-remove", c, whose), err)
}

// VerifyToken tells who may act with a token that comes from remote, and records its use. The secret is compared by its hash and in
// constant time, with one that nobody has where the id is nobody's: an answer's time tells nothing. Who it refuses gets ErrToken.
func (s *Service) VerifyToken(ctx context.Context, text, remote string) (Caller, error) {
	id, secret, ok := parseToken(text)
	if !ok {
		return Caller{}, ErrToken
	}
	token, err := s.cfg.Store.Token(ctx, id)
	if errors.Is(err, state.ErrNotFound) {
		token, err = state.Token{Hash: make([]byte, sha256.Size)}, nil
	}
	if err != nil {
		return Caller{}, err
	}
	hash := sha256.Sum256(secret)
	if subtle.ConstantTimeCompare(hash[:], token.Hash) == 0 || !token.Expires.IsZero() && !time.Now().Before(token.Expires) {
		return Caller{}, ErrToken
	}
	user, err := s.cfg.Store.User(ctx, token.User)
	if err != nil {
		return Caller{}, err
	}
	return Caller{
		User: user.Name, Admin: user.Admin, Fingerprint: "token " + token.Name, Token: token.ID, Remote: remote, Until: token.Expires,
	}, s.cfg.Store.UseToken(ctx, token.ID)
}

func parseToken(text string) (id int64, secret []byte, ok bool) {
	rest, ok := strings.CutPrefix(text, tokenPrefix)
	number, encoded, both := strings.Cut(rest, "_")
	id, err := strconv.ParseInt(number, 10, 64)
	secret, broken := base64.RawURLEncoding.DecodeString(encoded)
	return id, secret, ok && both && err == nil && broken == nil && len(secret) == tokenSecret
}
