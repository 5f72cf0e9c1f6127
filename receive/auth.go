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
// remembered here: who it is, signed finds out (the confusion of the two is CVE-2024-45337). With a key that is known and may not log in
// the client may sign, and is told why: nobody else is.
func (c *conn) offered(ctx ssh.Context, key ssh.PublicKey) bool {
	_, err := c.identify(ctx, ctx.User(), key)
	if err == nil || errors.As(err, new(NoLogin)) {
		return true
	}
	c.refuse(ctx.User(), key, err)
	return false
}

// refuse remembers and logs that a key did not do.
func (c *conn) refuse(user string, key gossh.PublicKey, err error) {
	attrs := []any{"remote", c.RemoteAddr().String(), "login", user, "key", fingerprint(key), "err", err}
	if errors.Is(err, errRefused) {
		c.refused.fingerprint, c.refused.why = fingerprint(key), err
		c.server.cfg.Log.Info("ssh key refused", attrs...)
	} else {
		c.server.cfg.Log.Error("ssh key lookup", attrs...)
	}
}

// signed is called with the key whose signature was verified, and decides who the client is.
func (c *conn) signed(ctx context.Context, user string, key gossh.PublicKey) (*gossh.Permissions, error) {
	who, err := c.identify(ctx, user, key)
	if err != nil {
		c.refuse(user, key, err)
		var why NoLogin
		if errors.As(err, &why) {
			err = &gossh.BannerError{Err: err, Message: why.Error() + "\n"}
		}
		return nil, err
	}
	c.accepted(who, key)
	return &gossh.Permissions{}, nil
}

var errRefused = errors.New("refused")

func (c *conn) identify(ctx context.Context, user string, key gossh.PublicKey) (Identity, error) {
	if user != loginUser {
		return Identity{}, fmt.Errorf("%w: the user must be %s", errRefused, loginUser)
	}
	if holder, ok := key.(gossh.CryptoPublicKey); ok {
		if public, ok := holder.CryptoPublicKey().(*rsa.PublicKey); ok && public.N.BitLen() < minRSABits {
			return Identity{}, fmt.Errorf("%w: RSA key of %d bits", errRefused, public.N.BitLen())
		}
	}
	who, err := c.server.cfg.Keys.Identify(ctx, key.Marshal(), c.RemoteAddr())
	switch {
	case errors.Is(err, ErrUnknownKey), errors.As(err, new(NoLogin)):
		return Identity{}, fmt.Errorf("%w: %w", errRefused, err)
	case err != nil:
		return Identity{}, err
	}
	who.Operator = false // only the admin socket makes operators
	who.Fingerprint = fingerprint(key)
	return who, nil
}

// fingerprint is that of the key, which a certificate is for.
func fingerprint(key gossh.PublicKey) string {
	if certificate, ok := key.(*gossh.Certificate); ok {
		key = certificate.Key
	}
	return gossh.FingerprintSHA256(key)
}
