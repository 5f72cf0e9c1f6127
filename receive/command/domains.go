package command

import (
	"context"
	"time"

	"boathook/receive/state"
)

func listDomains() Command {
	return Command{Name: "domains", Usage: "APP [--json]", Summary: "list the domains of an app", Run: func(ctx context.Context, c *Call) error {
		app, _, err := c.app(c.listFlags(), 0, 0)
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
		return printList(c, domainLines(all, rules), "DOMAIN CANONICAL ADDED", domainLine.cells)
	}}
}

type domainLine struct {
	Host      string    `json:"host"`
	Canonical bool      `json:"canonical"`
	Added     time.Time `json:"added"`
}

func domainLines(all []state.Domain, rules state.Routing) (lines []domainLine) {
	for _, d := range all {
		lines = append(lines, domainLine{d.Host, d.Host == rules.Canonical, d.Added})
	}
	return lines
}

func (l domainLine) cells() []string {
	canonical := ""
	if l.Canonical {
		canonical = "yes"
	}
	return []string{l.Host, orDash(canonical), when(l.Added)}
}
