package apps

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"boathook/receive/state"
)

// Certificate is what a host is served with by HTTPS; zero if there is none.
type Certificate struct {
	Own      bool // given with domains-ssl, not obtained by ACME
	Issuer   string
	NotAfter time.Time
	Problem  string // what keeps it from being there, or will soon, and what to do; "" if all is well
}

// Certificates knows of those that are obtained by ACME.
type Certificates interface {
	Certificate(host string) Certificate
}

// expiresSoon is how long before its end an own certificate is called a problem.
const expiresSoon = 14 * 24 * time.Hour

// Certificates returns the certificates of an app's domains by host.
func (s *Service) Certificates(ctx context.Context, c Caller, app string) (map[string]Certificate, error) {
	domains, err := s.Domains(ctx, c, app)
	if err != nil {
		return nil, err
	}
	all := make(map[string]Certificate, len(domains))
	if s.cfg.Certificates != nil {
		for _, d := range domains {
			all[d.Host] = s.cfg.Certificates.Certificate(d.Host)
		}
	}
	own, err := s.cfg.Store.Certificates(ctx, app)
	for _, kept := range own {
		all[kept.Host] = ownCertificate(kept, time.Now())
	}
	return all, err
}

// ownCertificate describes one that is stored.
func ownCertificate(kept state.Certificate, now time.Time) Certificate {
	block, _ := pem.Decode([]byte(kept.Chain))
	if block == nil {
		return Certificate{Own: true, Problem: "cannot be read: give it again with 'domains-ssl'"}
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return Certificate{Own: true, Problem: "cannot be read: give it again with 'domains-ssl'"}
	}
	return describe(leaf, now)
}

func describe(leaf *x509.Certificate, now time.Time) Certificate {
	c := Certificate{Own: true, Issuer: leaf.Issuer.String(), NotAfter: leaf.NotAfter}
	switch left := leaf.NotAfter.Sub(now); {
	case left <= 0:
		c.Problem = "has expired: give the next one with 'domains-ssl'"
	case left < expiresSoon:
		c.Problem = fmt.Sprintf("expires in %d days: give the next one with 'domains-ssl'", left/(24*time.Hour))
	}
	return c
}

// SetCertificate has a domain of the app served with a certificate of its own: text has that, those of its issuers and its key in PEM.
func (s *Service) SetCertificate(ctx context.Context, c Caller, name, host string, text []byte) (done Certificate, err error) {
	key, _ := s.hostOf(host) // one that is no host is no domain of the app either
	err = s.change(ctx, c, name, "domains-ssl "+shownHost(key), member, func(app state.App) error {
		all, err := s.cfg.Store.Domains(ctx, app.Name)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(all, func(d state.Domain) bool { return d.Host == key }) {
			return invalidf("%s has no domain %q: add it with 'domains-add %s HOST' first", app.Name, host, app.Name)
		}
		given, err := readPair(text)
		if err != nil {
			return err
		}
		kept, leaf, err := given.stored(key, time.Now())
		if err != nil {
			return err
		}
		done = describe(leaf, time.Now())
		return s.reroute(ctx, app.Name, s.cfg.Store.SetCertificate(ctx, app.Name, kept))
	})
	return done, err
}

// RemoveCertificate takes a domain's own certificate away; ACME is asked for one then, if it is asked at all.
func (s *Service) RemoveCertificate(ctx context.Context, c Caller, name, host string) error {
	key, _ := s.hostOf(host)
	return s.change(ctx, c, name, "domains-ssl "+shownHost(key)+" --disable", member, func(app state.App) error {
		err := s.cfg.Store.RemoveCertificate(ctx, app.Name, key)
		if errors.Is(err, state.ErrNotFound) {
			return invalidf("%q has no certificate of its own: 'domains %s' lists them", host, app.Name)
		}
		return s.reroute(ctx, app.Name, err)
	})
}
