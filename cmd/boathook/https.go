package main

import (
	"path/filepath"
	"strings"
	"time"

	"boathook/receive/apps"
	"boathook/router"
)

// certificates is where the account and what came of it are kept.
func certificates(data string) string { return filepath.Join(data, "certificates") }

// isCertificate tells whether a file below the certificates is worth a place in a backup: the account, keys and certificates, no locks.
func isCertificate(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	return top == "acme" || top == "certificates"
}

// obtained tells people of the certificates that the router has.
type obtained struct {
	router *router.Router
	acme   bool
}

// certificates is for the commands; nil without HTTPS.
func (s *server) certificates() apps.Certificates {
	switch {
	case s.feed != nil:
		return fed{s.feed}
	case s.cfg.httpsAddr == "":
		return nil
	}
	return obtained{s.router, s.cfg.acme}
}

// Certificate implements apps.Certificates.
func (o obtained) Certificate(host string) apps.Certificate {
	return explain(host, o.router.CertificateState(host), o.acme)
}

// explain says how it is with the certificate that a router obtains for a host, if it asks an authority for any.
func explain(host string, is router.CertificateState, acme bool) apps.Certificate {
	c := apps.Certificate{Issuer: is.Issuer, NotAfter: is.NotAfter}
	switch {
	case is.Err != nil && !is.NotAfter.IsZero():
		c.Problem = "was not renewed, next attempt at " + is.Retry.UTC().Format(time.DateTime) + ": " + is.Err.Error()
	case is.Err != nil:
		c.Problem = "was not obtained, next attempt at " + is.Retry.UTC().Format(time.DateTime) + ": " + is.Err.Error()
	case acme && strings.HasPrefix(host, "*."):
		c.Problem = "a wildcard needs its own: give it with 'domains-ssl'"
	case !acme:
		c.Problem = "there is none: 'domains-ssl' gives a domain its own"
	}
	return c
}
