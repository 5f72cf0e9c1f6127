package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"boathook/receive/apps"
	"boathook/receive/state"
)

func appInfo() Command {
	return Command{Name: "apps-info", Usage: "APP [--json]", Summary: "show what there is to know of an app", Run: func(ctx context.Context, c *Call) error {
		app, _, err := c.app(c.flags(), 0, 0)
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
	Down      bool      `json:"maintenance"`
	Pages     []string  `json:"pages"` // of its own
	Stack     string    `json:"stack,omitempty"`
	Live      int64     `json:"live,omitempty"` // the deployment that serves
	Commit    string    `json:"commit,omitempty"`
	Created   time.Time `json:"created"`

	Certificate certificateLine `json:"certificate,omitzero"` // of the URL's host
}

func infoOf(i apps.Info) appInfoLine {
	return appInfoLine{
		Name: i.Name, Owner: i.Owner, Status: i.Status, URL: i.URL, Domains: append([]string{}, i.Routing.Hosts...), Canonical: i.Routing.Canonical,
		HTTPS: i.Routing.ForceHTTPS, Sticky: i.Routing.Sticky, Down: i.Routing.Maintenance, Pages: pagesOf(i.Routing), Stack: i.Release.Stack, Live: i.Live, Commit: i.Release.Commit, Created: i.Created,
		Certificate: certificateOf(i.Certificate),
	}
}

func pagesOf(r state.Routing) []string {
	pages := []string{}
	if r.MaintenancePage != "" {
		pages = append(pages, "maintenance-page")
	}
	if r.ErrorPage != "" {
		pages = append(pages, "error-page")
	}
	return pages
}

func (l appInfoLine) lines() [][2]string {
	lines := [][2]string{
		{"name", l.Name}, {"owner", l.Owner}, {"status", l.Status}, {"url", l.URL}, {"domains", orDash(strings.Join(l.Domains, " "))},
		{"canonical domain", orDash(l.Canonical)}, {"force-https", fmt.Sprint(l.HTTPS)}, {"sticky-session", fmt.Sprint(l.Sticky)},
		{"maintenance", fmt.Sprint(l.Down)}, {"own pages", orDash(strings.Join(l.Pages, " "))}, {"created", when(l.Created)},
	}
	if c := l.Certificate; c.Source != "" {
		lines = append(lines, [2]string{"certificate", fmt.Sprintf("%s, until %s, by %s", c.Source, when(c.Expires), c.Issuer)})
	}
	if l.Certificate.Problem != "" {
		lines = append(lines, [2]string{"certificate", l.Certificate.Problem})
	}
	if l.Live != 0 {
		lines = append(lines, [2]string{"live", fmt.Sprintf("deployment %d, commit %.8s, stack %s", l.Live, l.Commit, orDash(l.Stack))})
	}
	return lines
}
