package apps

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"boathook/receive/state"

	"golang.org/x/crypto/ssh"
)

const (
	minRSABits = 2048
	maxKeyName = 64 // characters
)

// ParseKey reads one public key as OpenSSH writes it, and refuses what SPEC does not allow.
func ParseKey(text []byte) (ssh.PublicKey, error) {
	if err := otherFormat(text); err != nil {
		return nil, err
	}
	key, _, options, rest, err := ssh.ParseAuthorizedKey(text)
	if err != nil || len(options) > 0 || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("this is not one OpenSSH public key: send the one line of a file like ~/.ssh/id_ed25519.pub")
	}
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256:
		return key, nil
	case ssh.KeyAlgoRSA:
		if bits := rsaBits(key); bits < minRSABits {
			return nil, fmt.Errorf("an RSA key of %d bits is too weak: make one with 'ssh-keygen -t ed25519'", bits)
		}
		return key, nil
	}
	return nil, fmt.Errorf("a key of type %s is not accepted: make one with 'ssh-keygen -t ed25519'", key.Type())
}

// otherFormat tells what to do with a key that is not in OpenSSH's public format. A PuTTY key comes as the .ppk file, which has
// both halves, or as the public half that PuTTYgen saves (RFC 4716).
func otherFormat(text []byte) error {
	switch {
	case bytes.Contains(text, []byte("PuTTY-User-Key-File")):
		return errors.New("this is a PuTTY key, and its private half with it: convert it with 'puttygen KEY.ppk -O public-openssh -o KEY.pub' and send KEY.pub")
	case bytes.Contains(text, []byte("BEGIN SSH2 PUBLIC KEY")):
		return errors.New("this is a PuTTY key: convert it with 'ssh-keygen -i -f KEY.pub > KEY.openssh.pub' and send that file")
	case bytes.Contains(text, []byte("PRIVATE KEY")):
		return errors.New("this is a PRIVATE key, which nobody else may see: consider it lost, make a new pair with 'ssh-keygen -t ed25519' and send the file that ends in .pub")
	}
	return nil
}

// rsaBits is the size of an RSA key, 0 of another.
func rsaBits(key ssh.PublicKey) int {
	holder, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return 0
	}
	public, ok := holder.CryptoPublicKey().(*rsa.PublicKey)
	if !ok {
		return 0
	}
	return public.N.BitLen()
}

func checkKeyName(name string) error {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	if name == "" || utf8.RuneCountInString(name) > maxKeyName || !utf8.ValidString(name) || strings.ContainsFunc(name, hidden) {
		return invalidf("%q cannot name a key: use up to %d characters that can be seen", name, maxKeyName)
	}
	return nil
}

// AddKey gives user ("" the caller) a key.
func (s *Service) AddKey(ctx context.Context, c Caller, user, name string, text []byte) (state.Key, error) {
	key, err := s.addKey(ctx, c, user, name, text)
	return key, s.record(ctx, c, "", keyAction("keys-add", c, key), err)
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

func (s *Service) addKey(ctx context.Context, c Caller, user, name string, text []byte) (state.Key, error) {
	user, err := s.person(ctx, c, user)
	if err != nil {
		return state.Key{}, err
	}
	if err := checkKeyName(name); err != nil {
		return state.Key{}, err
	}
	public, err := ParseKey(text)
	if err != nil {
		return state.Key{}, err
	}
	key := state.Key{User: user, Name: name, Type: public.Type(), Fingerprint: ssh.FingerprintSHA256(public), Blob: public.Marshal()}
	taken, err := s.cfg.Store.KeyByBlob(ctx, key.Blob)
	switch {
	case err == nil && taken.User == user:
		return key, fmt.Errorf("%s has this key already, as %s: it can be used", user, taken.Name)
	case err == nil:
		return key, errors.New("this key is another user's: make one with 'ssh-keygen -t ed25519'")
	case !errors.Is(err, state.ErrNotFound):
		return key, err
	}
	err = s.cfg.Store.AddKey(ctx, key)
	if errors.Is(err, state.ErrExists) {
		return key, fmt.Errorf("%s has a key named %s already: choose another name", user, name)
	}
	return key, err
}

// Keys returns the keys of user, "" the caller.
func (s *Service) Keys(ctx context.Context, c Caller, user string) ([]state.Key, error) {
	user, err := s.person(ctx, c, user)
	if err != nil {
		return nil, s.record(ctx, c, "", "keys", err)
	}
	return s.cfg.Store.Keys(ctx, user)
}

// RemoveKey removes a key of user by name or fingerprint.
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
			return k, s.cfg.Store.DeleteKey(ctx, k.ID)
		}
	}
	return state.Key{}, invalidf("there is no key %q: 'keys' lists them", which)
}
