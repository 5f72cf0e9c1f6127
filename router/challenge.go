package router

import (
	"bytes"
	"context"
	"crypto/tls"
	"net/http"
	"sync"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// challenges are what authorities are about to ask for, of the hosts that certificates are being obtained for: acmez.Solver. Both paths and the
// handshake answer from here, for hosts whose app does not run as well.
type challenges struct {
	mu   sync.Mutex // guards what follows
	http map[string]string
	alpn map[string]*tls.Certificate // by host
}

// challengePath is where authorities ask (RFC 8555, 8.3).
const challengePath = "/.well-known/acme-challenge/"

func newChallenges() *challenges {
	return &challenges{http: map[string]string{}, alpn: map[string]*tls.Certificate{}}
}

// Present makes the answer ready.
func (c *challenges) Present(_ context.Context, challenge acme.Challenge) error {
	if challenge.Type == acme.ChallengeTypeHTTP01 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.http[httpChallenge(challenge)] = challenge.KeyAuthorization
		return nil
	}
	certificate, err := acmez.TLSALPN01ChallengeCert(challenge)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alpn[hostKey(challenge.Identifier.Value)] = certificate
	return nil
}

// CleanUp forgets the answer.
func (c *challenges) CleanUp(_ context.Context, challenge acme.Challenge) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if challenge.Type == acme.ChallengeTypeHTTP01 {
		delete(c.http, httpChallenge(challenge))
	} else {
		delete(c.alpn, hostKey(challenge.Identifier.Value))
	}
	return nil
}

// httpChallenge is what is asked for: the host and the path.
func httpChallenge(challenge acme.Challenge) string {
	return hostKey(challenge.Identifier.Value) + challenge.HTTP01ResourcePath()
}

// answer is what a request gets that an authority proves a host by, nil for every other one. A path below challengePath that nothing is known of is
// the app's.
func (c *challenges) answer(a *ask) *refusal {
	if c == nil || !bytes.HasPrefix(a.target, []byte(challengePath)) || a.method != http.MethodGet && a.method != http.MethodHead {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	text, ok := c.http[string(a.key)+string(a.target)]
	if !ok {
		return nil
	}
	return &refusal{status: http.StatusOK, reason: "ACME challenge", plain: text}
}

// certificate is the one of a TLS-ALPN-01 challenge (RFC 8737, 3), nil if the handshake is not one or the host not asked for.
func (c *challenges) certificate(hello *tls.ClientHelloInfo) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.alpn[hostKey(hello.ServerName)]
}

// isChallenge tells whether a client proves a host by the handshake alone.
func isChallenge(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acmez.ACMETLS1Protocol
}
