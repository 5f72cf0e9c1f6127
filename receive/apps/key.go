package apps

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"boathook/receive/state"

	"golang.org/x/crypto/ssh"
)

const maxLabel = 64 // characters

// checkLabel refuses what cannot name a thing of a user's, "a key" for one.
func checkLabel(thing, name string) error {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	if name == "" || utf8.RuneCountInString(name) > maxLabel || !utf8.ValidString(name) || strings.ContainsFunc(name, hidden) {
		return invalidf("%q cannot name %s: use up to %d characters that can be seen", name, thing, maxLabel)
	}
	return nil
}

// Key is a key as its user sees it.
type Key struct {
	state.Key
	Bits int
}

// NewKey is a key to be added.
type NewKey struct {
	User    string // "" the caller
	Name    string
	Text    []byte    // as OpenSSH writes it
	App     string    // the one app that it is for, to push and clone; "" all that the user may
	Expires time.Time // zero: never
}

// AddKey gives a user a key.
func (s *Service) AddKey(ctx context.Context, c Caller, k NewKey) (Key, error) {
	key, err := s.addKey(ctx, c, k)
	action := keyAction("keys-add", c, key.Key)
	if k.App != "" {
		action += " --app"
	}
	return key, s.record(ctx, c, k.App, action, err)
}

// keyAction is an action about a key, "" for one that was not found out, of the caller's own or of another user.
func keyAction(verb string, c Caller, key state.Key) string {
	if key.Fingerprint != "" {
		verb += " " + key.Fingerprint
	}
	if key.User != "" && key.User != c.User {
		verb += " for " + key.User
	}
	return verb
}

func (s *Service) addKey(ctx context.Context, c Caller, k NewKey) (key Key, err error) {
	if k.User, err = s.person(ctx, c, k.User); err != nil {
		return Key{}, err
	}
	if err := outlasts(c, k.User, k.Expires); err != nil {
		return Key{}, err
	}
	if k.App != "" {
		if err := s.mayDeployTo(ctx, k); err != nil {
			return Key{}, err
		}
	}
	if key, err = s.readKey(ctx, k); err != nil {
		return key, err
	}
	err = s.cfg.Store.AddKey(ctx, key.Key)
	if errors.Is(err, state.ErrExists) {
		return key, fmt.Errorf("%s has a key named %s already: choose another name", k.User, k.Name)
	}
	return key, err
}

// mayDeployTo refuses a key for an app to which its user may not push: it would be of no use.
func (s *Service) mayDeployTo(ctx context.Context, k NewKey) error {
	user, err := s.cfg.Store.User(ctx, k.User)
	if err != nil {
		return err
	}
	_, err = s.permitted(ctx, Caller{User: user.Name, Admin: user.Admin}, k.App, member)
	return err
}

// readKey refuses a key that cannot be added, to whomever. A key that somebody has already comes back with its fingerprint.
func (s *Service) readKey(ctx context.Context, k NewKey) (Key, error) {
	if err := checkLabel("a key", k.Name); err != nil {
		return Key{}, err
	}
	if err := checkExpiry(k.Expires); err != nil {
		return Key{}, err
	}
	public, err := ParseKey(k.Text)
	if err != nil {
		return Key{}, err
	}
	key := Key{Bits: bitsOf(public), Key: state.Key{
		User: k.User, Name: k.Name, Type: public.Type(), Fingerprint: ssh.FingerprintSHA256(public), Blob: public.Marshal(), App: k.App, Expires: k.Expires,
	}}
	return key, s.checkFree(ctx, key)
}

// checkFree refuses a key that somebody has: a key says who comes.
func (s *Service) checkFree(ctx context.Context, key Key) error {
	taken, err := s.cfg.Store.KeyByBlob(ctx, key.Blob)
	switch {
	case errors.Is(err, state.ErrNotFound):
		return nil
	case err != nil:
		return err
	case taken.User == key.User:
		return fmt.Errorf("key is already taken: %s has it as %s. To change what it is for, remove it first with 'keys-remove'", taken.User, taken.Name)
	}
	return errors.New("key is already taken: it is another user's. Make one with 'ssh-keygen -t ed25519'")
}

// checkExpiry refuses an end that has come already.
func checkExpiry(end time.Time) error {
	if !end.IsZero() && !end.After(time.Now()) {
		return invalidf("%s is over already: choose a later end", end.UTC().Format(time.DateTime))
	}
	return nil
}

// outlasts refuses an end of a key or a token of the caller's own that comes after that of the login, which would then mean nothing.
func outlasts(c Caller, user string, end time.Time) error {
	if c.Until.IsZero() || user != c.User || !end.IsZero() && !end.After(c.Until) {
		return nil
	}
	return fmt.Errorf("what you logged in with ends at %s, and nothing that you add for yourself may outlast it: choose an earlier end with --expires, or ask an administrator",
		c.Until.UTC().Format(time.DateTime))
}

// Keys returns the keys of user, "" the caller.
func (s *Service) Keys(ctx context.Context, c Caller, user string) ([]Key, error) {
	user, err := s.person(ctx, c, user)
	if err != nil {
		return nil, s.record(ctx, c, "", "keys", err)
	}
	stored, err := s.cfg.Store.Keys(ctx, user)
	var keys []Key
	for _, k := range stored {
		public, err := ssh.ParsePublicKey(k.Blob)
		if err != nil {
			return nil, fmt.Errorf("key %s of %s: %w", k.Name, user, err)
		}
		keys = append(keys, Key{Key: k, Bits: bitsOf(public)})
	}
	return keys, err
}

// RemoveKey removes a key of user by name or fingerprint, and ends the sessions that it began.
func (s *Service) RemoveKey(ctx context.Context, c Caller, user, which string) error {
	key, err := s.removeKey(ctx, c, user, which)
	return s.record(ctx, c, "", keyAction("keys-remove", c, key), err)
}

func (s *Service) removeKey(ctx context.Context, c Caller, user, which string) (state.Key, error) {
	user, err := s.person(ctx, c, user)
	if err != nil {
		return state.Key{}, err
	}
	keys, err := s.cfg.Store.Keys(ctx, user)
	if err != nil {
		return state.Key{}, err
	}
	for _, k := range keys {
		if k.Name == which || k.Fingerprint == which {
			return k, s.endAccess(ctx, s.cfg.Store.DeleteKey(ctx, k.ID))
		}
	}
	return state.Key{}, invalidf("there is no key %q: 'keys' lists them", which)
}
