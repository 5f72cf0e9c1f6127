package apps

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"boathook/receive/state"

	"golang.org/x/crypto/ssh"
)

// ErrUnknownKey is the answer to a key that belongs to nobody, and to a certificate of an authority that is not trusted.
var ErrUnknownKey = errors.New("unknown key")

// NoLogin is why a key or a certificate that is known may not log in: a sentence for its holder.
type NoLogin string

func (n NoLogin) Error() string { return string(n) }

// Login tells who may act with a key, or with a certificate, that comes from remote; wire is in the format of RFC 4253, section 6.6. That
// the caller holds the key is for others to find out. It changes nothing, and can be asked again at any time. Who may not log in gets
// ErrUnknownKey or a NoLogin.
func (s *Service) Login(ctx context.Context, wire []byte, remote net.Addr) (Caller, error) {
	public, err := ssh.ParsePublicKey(wire)
	if err != nil {
		return Caller{}, ErrUnknownKey
	}
	if certificate, ok := public.(*ssh.Certificate); ok {
		return s.certified(ctx, certificate, remote)
	}
	key, err := s.cfg.Store.KeyByBlob(ctx, wire)
	if errors.Is(err, state.ErrNotFound) {
		return Caller{}, ErrUnknownKey
	}
	if err != nil {
		return Caller{}, err
	}
	if err := expired(key, time.Now()); err != nil {
		return Caller{}, err
	}
	user, err := s.cfg.Store.User(ctx, key.User)
	if err != nil {
		return Caller{}, err
	}
	return Caller{User: user.Name, Admin: user.Admin, Fingerprint: key.Fingerprint, Remote: remote.String(), App: key.App, Until: key.Expires}, nil
}

// expired refuses a key whose time is over.
func expired(key state.Key, now time.Time) error {
	if key.Expires.IsZero() || now.Before(key.Expires) {
		return nil
	}
	return NoLogin(fmt.Sprintf("the key %s of %s has expired at %s: add another with 'keys-add'", key.Name, key.User, key.Expires.Format(time.DateTime)))
}

// LoggedIn records where and when a key was used to log in by itself, without a certificate.
func (s *Service) LoggedIn(ctx context.Context, c Caller) error {
	if c.Certificate != "" {
		return nil
	}
	from, _, err := net.SplitHostPort(c.Remote)
	if err != nil {
		from = c.Remote
	}
	return s.cfg.Store.UseKey(ctx, c.Fingerprint, from)
}

// current tells whether a caller who has logged in could do so still.
func (s *Service) current(ctx context.Context, c Caller) (err error) {
	switch {
	case c.Operator:
	case !c.Until.IsZero() && !time.Now().Before(c.Until):
		err = ErrEnded
	case c.Certificate != "":
		_, err = s.cfg.Store.User(ctx, c.User)
	case c.Token != 0:
		_, err = s.cfg.Store.Token(ctx, c.Token)
	default:
		var key state.Key
		if key, err = s.cfg.Store.KeyByFingerprint(ctx, c.Fingerprint); key.User != c.User {
			err = cmp.Or(err, ErrEnded)
		}
	}
	return err
}
