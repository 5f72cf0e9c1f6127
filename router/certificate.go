package router

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
)

// TLS is what a Router needs for HTTPS.
type TLS struct {
	Dir  string // where the account, certificates and the answers of OCSP responders are kept; made with mode 0700
	Port int    // at which clients reach HTTPS, for redirections; 443 if 0
	ACME *ACME  // nil: nobody is asked for certificates
}

// Certificate is an own one of an app.
type Certificate struct {
	Host  string // that it is for; "*.example.com" stands for any one label
	Chain string // in PEM, the host's certificate first
	Key   string // in PEM
}

// CertificateState tells what a host is served with over TLS.
type CertificateState struct {
	Own      bool // from the route
	Issuer   string
	NotAfter time.Time // zero: there is none
	Err      error     // of the last attempt to obtain one; nil if that went well, or there was none
	Retry    time.Time // when the next attempt follows a failed one
}

// handshakePatience is how long a handshake waits for a certificate that is on its way, less than handshakeTime.
const handshakePatience = 8 * time.Second

// TLSConfig is for Server.ServeTLS: an app's own certificate, or else the one obtained by ACME. The handshake fails where there is none, and
// for hosts that are not in the table. It is TLS 1.2 at least, with the ciphers that Go chooses.
func (r *Router) TLSConfig() *tls.Config {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: r.certificate}
	if r.cfg.TLS != nil && r.cfg.TLS.ACME != nil {
		cfg.NextProtos = []string{acmez.ACMETLS1Protocol}
	}
	return cfg
}

// httpsPort is where clients reach HTTPS, 0 for 443.
func (r *Router) httpsPort() int {
	if r.cfg.TLS == nil {
		return 0
	}
	return r.cfg.TLS.Port
}

// certificate is tls.Config.GetCertificate. Nil without an error is answered with the alert unrecognized_name (RFC 6066, 3).
func (r *Router) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if isChallenge(hello) {
		return r.challenges.certificate(hello), nil
	}
	key := hostKey(hello.ServerName)
	live := r.table.Load().find([]byte(key))
	if live == nil {
		return nil, nil
	}
	if own := live.ownCertificate(key); own != nil {
		return r.stapler.of(own), nil
	}
	return r.keeper.certificate(hello.Context(), key), nil
}

// ownCertificates reads those of a route, by host. What cannot be read is as if it were not there.
func (r *Router) ownCertificates(route Route, old *live) map[string]*tls.Certificate {
	certificates := make(map[string]*tls.Certificate, len(route.Certificates))
	for _, own := range route.Certificates {
		key := hostKey(own.Host)
		if old != nil && old.certificates[key] != nil && slices.Contains(old.route.Certificates, own) {
			certificates[key] = old.certificates[key]
			continue
		}
		pair, err := tls.X509KeyPair([]byte(own.Chain), []byte(own.Key))
		if err != nil {
			r.cfg.Log.Error("certificate not usable", "app", route.App, "host", own.Host, "err", err)
			continue
		}
		certificates[key] = &pair
		r.tellOfEnd(route.App, key, &pair, time.Now())
	}
	return certificates
}

// endsSoon is how long before its end an own certificate is told of.
const endsSoon = 14 * 24 * time.Hour

// tellOfEnds tells of all own certificates whose end is near.
func (r *Router) tellOfEnds(now time.Time) {
	for live := range r.table.Load().apps.values() {
		for host, c := range live.certificates {
			r.tellOfEnd(live.route.App, host, c, now)
		}
	}
}

func (r *Router) tellOfEnd(app, host string, c *tls.Certificate, now time.Time) {
	switch left := c.Leaf.NotAfter.Sub(now); {
	case left <= 0:
		r.cfg.Log.Error("certificate has ended: give the next one with 'domains-ssl'", "app", app, "host", host, "end", c.Leaf.NotAfter)
	case left < endsSoon:
		r.cfg.Log.Warn("certificate ends soon: give the next one with 'domains-ssl'", "app", app, "host", host, "end", c.Leaf.NotAfter)
	}
}

// own are the certificates of a route, which may be nil.
func (l *live) own() map[string]*tls.Certificate {
	if l == nil {
		return nil
	}
	return l.certificates
}

// ownCertificate is the app's own one for a host, or that for its wildcard; nil if there is none.
func (l *live) ownCertificate(key string) *tls.Certificate {
	if own := l.certificates[key]; own != nil || len(l.certificates) == 0 {
		return own
	}
	if dot := strings.IndexByte(key, '.'); dot > 0 {
		return l.certificates["*"+key[dot:]]
	}
	return nil
}

// wantsCertificate tells whether a host is to have a certificate of the authority: it is in the table by its full name, and its app has none of
// its own for it.
func (r *Router) wantsCertificate(host string) bool {
	claims := r.table.Load().hosts.get([]byte(host))
	return claims != nil && claims[0].ownCertificate(host) == nil
}

// CertificateState tells what a host is served with.
func (r *Router) CertificateState(host string) CertificateState {
	key := hostKey(host)
	if live := r.table.Load().find([]byte(key)); live != nil {
		if own := live.ownCertificate(key); own != nil {
			return CertificateState{Own: true, Issuer: own.Leaf.Issuer.String(), NotAfter: own.Leaf.NotAfter}
		}
	}
	return r.keeper.state(key)
}

// certificate is the one that is kept for a host. It waits for the first attempt to obtain it, not for a later one.
func (k *keeper) certificate(ctx context.Context, host string) *tls.Certificate {
	if k == nil || k.issuer == nil {
		return nil
	}
	k.mu.Lock()
	of := k.hosts[host]
	k.mu.Unlock()
	if of == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, handshakePatience)
	defer cancel()
	select {
	case <-of.tried:
	case <-ctx.Done():
	}
	if found := k.cached(host); found != nil {
		return &found.Certificate
	}
	return nil
}

// cached is the certificate of the authority that lasts longest.
func (k *keeper) cached(host string) (found *certmagic.Certificate) {
	for _, c := range k.cache.AllMatchingCertificates(host) {
		if found == nil || c.Leaf.NotAfter.After(found.Leaf.NotAfter) {
			found = &c
		}
	}
	return found
}

func (k *keeper) state(host string) (s CertificateState) {
	if k == nil {
		return s
	}
	if found := k.cached(host); found != nil {
		s.Issuer, s.NotAfter = found.Leaf.Issuer.String(), found.Leaf.NotAfter
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if of := k.hosts[host]; of != nil && of.err != nil {
		s.Err, s.Retry = of.err, of.next
	}
	return s
}

// certificateWord is a CertificateState as a Follower tells it.
type certificateWord struct {
	Issuer   string    `json:"issuer,omitempty"`
	NotAfter time.Time `json:"not_after,omitzero"`
	Err      string    `json:"err,omitempty"`
	Retry    time.Time `json:"retry,omitzero"`
}

func (w certificateWord) state() CertificateState {
	s := CertificateState{Issuer: w.Issuer, NotAfter: w.NotAfter, Retry: w.Retry}
	if w.Err != "" {
		s.Err = errors.New(w.Err)
	}
	return s
}

// words are the states of all hosts that are kept.
func (k *keeper) words() map[string]certificateWord {
	k.mu.Lock()
	hosts := slices.Collect(maps.Keys(k.hosts))
	k.mu.Unlock()
	words := make(map[string]certificateWord, len(hosts))
	for _, host := range hosts {
		s := k.state(host)
		word := certificateWord{Issuer: s.Issuer, NotAfter: s.NotAfter, Retry: s.Retry}
		if s.Err != nil {
			word.Err = s.Err.Error()
		}
		words[host] = word
	}
	return words
}
