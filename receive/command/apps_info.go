package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"boathook/receive/apps"
)

func appInfo() Command {
	return Command{Name: "apps-info", Usage: "APP [--json]", Summary: "show what there is to know of an app", Run: func(ctx context.Context, c *Call) error {
		app, _, err := c.app(c.listFlags(), 0, 0)
		if err != nil {
			return err
		}
		info, err := c.Service.Info(ctx, c.Caller, app)
		if err != nil {
			return err
		}
		all := infoOf(info)
		if c.json {
			return c.printJSON(all)
		}
		return printList(c, all.lines(), "SETTING VALUE", func(l [2]string) []string { return l[:] })
	}}
}

type appInfoLine struct {
	Name      string    `json:"name"`
	Owner     string    `json:"owner"`
	Status    string    `json:"status"`
	URL       string    `json:"url"`
	Domains   []string  `json:"domains"`
	Canonical string    `json:"canonical,omitempty"`
	HTTPS     bool      `json:"force_https"`
	Sticky    bool      `json:"sticky_session"`
	Stack     string    `json:"stack,omitempty"`
	Live      int64     `json:"live,omitempty"` // the deployment that serves
	Commit    string    `json:"commit,omitempty"`
	Created   time.Time `json:"created"`
}

func infoOf(i apps.Info) appInfoLine {
	return appInfoLine{
		Name: i.Name, Owner: i.Owner, Status: i.Status, URL: i.URL, Domains: append([]string{}, i.Routing.Hosts...), Canonical: i.Routing.Canonical,
		HTTPS: i.Routing.ForceHTTPS, Sticky: i.Routing.Sticky, Stack: i.Release.Stack, Live: i.Live, Commit: i.Release.Commit, Created: i.Created,
	}
}

func (l appInfoLine) lines() [][2]string {
	lines := [][2]string{
		{"name", l.Name}, {"owner", l.Owner}, {"status", l.Status}, {"url", l.URL}, {"domains", orDash(strings.Join(l.Domains, " "))},
		{"canonical domain", orDash(l.Canonical)}, {"force-https", fmt.Sprint(l.HTTPS)}, {"sticky-session", fmt.Sprint(l.Sticky)}, {"created", when(l.Created)},
	}
	if l.Live != 0 {
		lines = append(lines, [2]string{"live", fmt.Sprintf("deployment %d, commit %.8s, stack %s", l.Live, l.Commit, orDash(l.Stack))})
	}
	return lines
}
