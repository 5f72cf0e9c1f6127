package receive

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/gliderlabs/ssh"
	gossh "golang.org/x/crypto/ssh"
)

// loginUser is the only name that may log in; the key says who it is.
const loginUser = "git"

// minRSABits is the shortest RSA key that may sign, as NIST SP 800-131A has it.
const minRSABits = 2048

// identityKey is where an accepted signature leaves the Identity in the connection's permissions.
type identityKey struct{}

// config holds the algorithms of a current OpenSSH, without what is left there of SHA-1 (its hmac-sha1).
func (c *conn) config(ctx context.Context) *gossh.ServerConfig {
	config := &gossh.ServerConfig{
		Config: gossh.Config{
			KeyExchanges: []string{
				gossh.KeyExchangeMLKEM768X25519, gossh.KeyExchangeCurve25519,
				gossh.KeyExchangeECDHP256, gossh.KeyExchangeECDHP384, gossh.KeyExchangeECDHP521,
				gossh.KeyExchangeDH16SHA512, gossh.KeyExchangeDH14SHA256,
			},
			Ciphers: []string{
				gossh.CipherChaCha20Poly1305, gossh.CipherAES128GCM, gossh.CipherAES256GCM,
				gossh.CipherAES128CTR, gossh.CipherAES192CTR, gossh.CipherAES256CTR,
			},
			MACs: []string{gossh.HMACSHA256ETM, gossh.HMACSHA512ETM, gossh.HMACSHA256, gossh.HMACSHA512},
		},
		PublicKeyAuthAlgorithms: []string{
			gossh.KeyAlgoED25519, gossh.KeyAlgoSKED25519, gossh.KeyAlgoSKECDSA256,
			gossh.KeyAlgoECDSA256, gossh.KeyAlgoECDSA384, gossh.KeyAlgoECDSA521,
			gossh.KeyAlgoRSASHA256, gossh.KeyAlgoRSASHA512,
		},
		MaxAuthTries: c.server.cfg.AuthAttempts,
	}
	if !c.admin {
		config.VerifiedPublicKeyCallback = func(meta gossh.ConnMetadata, key gossh.PublicKey, _ *gossh.Permissions, _ string) (*gossh.Permissions, error) {
			return c.signed(ctx, meta.User(), key)
		}
	}
	return config
}

// offered says whether a signature by key would do. A client may offer keys that it does not hold, so nothing is
// remembered here: who it is, signed finds out (the confusion of the two is CVE-2024-45337).
func (c *conn) offered(ctx ssh.Context, key ssh.PublicKey) bool {
	_, err := c.identify(ctx, ctx.User(), key)
	if err == nil {
		return true
	}
	attrs := []any{"remote", c.RemoteAddr().String(), "login", ctx.User(), "key", gossh.FingerprintSHA256(key), "err", err}
	if errors.Is(err, errRefused) {
		c.refused.fingerprint, c.refused.why = gossh.FingerprintSHA256(key), err
		c.server.cfg.Log.Info("ssh key refused", attrs...)
	} else {
		c.server.cfg.Log.Error("ssh key lookup", attrs...)
	}
	return false
}

// signed is called with the key whose signature was verified, and decides who the client is.
func (c *conn) signed(ctx context.Context, user string, key gossh.PublicKey) (*gossh.Permissions, error) {
	who, err := c.identify(ctx, user, key)
	if err != nil {
		return nil, err
	}
	c.accepted()
	return &gossh.Permissions{ExtraData: map[any]any{identityKey{}: who}}, nil
}

var errRefused = errors.New("refused")

func (c *conn) identify(ctx context.Context, user string, key gossh.PublicKey) (Identity, error) {
	if user != loginUser {
		return Identity{}, fmt.Errorf("%w: the user must be %s", errRefused, loginUser)
	}
	if _, ok := key.(*gossh.Certificate); ok {
		return Identity{}, fmt.Errorf("%w: certificates are not accepted", errRefused)
	}
	if holder, ok := key.(gossh.CryptoPublicKey); ok {
		if public, ok := holder.CryptoPublicKey().(*rsa.PublicKey); ok && public.N.BitLen() < minRSABits {
			return Identity{}, fmt.Errorf("%w: RSA key of %d bits", errRefused, public.N.BitLen())
		}
	}
	who, err := c.server.cfg.Keys.Identify(ctx, key.Marshal())
	switch {
	case errors.Is(err, ErrUnknownKey):
		return Identity{}, fmt.Errorf("%w: %w", errRefused, err)
	case err != nil:
		return Identity{}, err
	}
	who.Operator = false // only the admin socket makes operators
	who.Fingerprint = gossh.FingerprintSHA256(key)
	return who, nil
}

// identity is who an authenticated connection belongs to; false is a mistake of ours.
func (c *conn) identity(conn *gossh.ServerConn) (Identity, bool) {
	if c.admin {
		return Identity{Operator: true}, true
	}
	if conn.Permissions == nil {
		return Identity{}, false
	}
	who, ok := conn.Permissions.ExtraData[identityKey{}].(Identity)
	return who, ok
}
