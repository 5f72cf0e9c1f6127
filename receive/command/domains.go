package command

import (
	"context"
	"time"

	"boathook/receive/apps"
	"boathook/receive/state"
)

func listDomains() Command {
	return Command{Name: "domains", Usage: "APP [--json]", Summary: "list the domains of an app, and the certificates that they are served with", Run: func(ctx context.Context, c *Call) error {
		app, _, err := c.app(c.flags(), 0, 0)
		if err != nil {
			return err
		}
		all, err := c.Service.Domains(ctx, c.Caller, app)
		if err != nil {
			return err
		}
		rules, err := c.Service.Routing(ctx, c.Caller, app)
		if err != nil {
			return err
		}
		certificates, err := c.Service.Certificates(ctx, c.Caller, app)
		if err != nil {
			return err
		}
		return printList(c, domainLines(all, rules, certificates), "DOMAIN CANONICAL ADDED CERTIFICATE EXPIRES ISSUER PROBLEM", domainLine.cells)
	}}
}

type domainLine struct {
	Host      string    `json:"host"`
	Canonical bool      `json:"canonical"`
	Added     time.Time `json:"added"`

	Certificate certificateLine `json:"certificate,omitzero"`
}

type certificateLine struct {
	Source  string    `json:"source,omitempty"` // "own", "acme", or "" if there is none
	Expires time.Time `json:"expires,omitzero"`
	Issuer  string    `json:"issuer,omitempty"`
	Problem string    `json:"problem,omitempty"`
}

func domainLines(all []state.Domain, rules state.Routing, certificates map[string]apps.Certificate) (lines []domainLine) {
	for _, d := range all {
		lines = append(lines, domainLine{d.Host, d.Host == rules.Canonical, d.Added, certificateOf(certificates[d.Host])})
	}
	return lines
}

func certificateOf(c apps.Certificate) certificateLine {
	line := certificateLine{Expires: c.NotAfter, Issuer: c.Issuer, Problem: c.Problem}
	switch {
	case c.Own:
		line.Source = "own"
	case !c.NotAfter.IsZero():
		line.Source = "acme"
	}
	return line
}

func (l domainLine) cells() []string {
	canonical := ""
	if l.Canonical {
		canonical = "yes"
	}
	c := l.Certificate
	return []string{l.Host, orDash(canonical), when(l.Added), orDash(c.Source), when(c.Expires), orDash(c.Issuer), orDash(c.Problem)}
}
