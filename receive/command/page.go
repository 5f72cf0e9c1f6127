package command

import (
	"context"

	"boathook/receive/apps"
	"boathook/receive/state"
)

// pageOf is a page that an app may have of its own.
type pageOf struct {
	state.Purpose
	when string // it is shown
}

// command stores it, shows it or removes it.
func (p pageOf) command() Command {
	return Command{
		Name: string(p.Purpose) + "-page", Usage: "APP [--show|--remove] [--json]",
		Summary: "give the app a page of its own, HTML on standard input, that is shown " + p.when,
		Run: func(ctx context.Context, c *Call) error {
			f := c.flags()
			show, remove := f.Bool("show", false, ""), f.Bool("remove", false, "")
			app, _, err := c.app(f, 0, 0)
			switch {
			case err != nil:
				return err
			case *show && *remove:
				return usagef("either --show or --remove")
			case *show:
				return p.show(ctx, c, app)
			case *remove:
				return p.remove(ctx, c, app)
			}
			return p.set(ctx, c, app)
		},
	}
}

func (p pageOf) set(ctx context.Context, c *Call, app string) error {
	html, err := c.input("the page", apps.MaxPage)
	if err != nil {
		return err
	}
	if err := c.Service.SetPage(ctx, c.Caller, app, state.Page{Purpose: p.Purpose, HTML: string(html)}); err != nil {
		return err
	}
	return c.done(shownPage{app, p.Purpose, string(html)}, "%s shows this page of %d bytes %s\n", app, len(html), p.when)
}

// show prints the page as it was given; on a terminal without what could drive that.
func (p pageOf) show(ctx context.Context, c *Call, app string) error {
	html, err := c.Service.Page(ctx, c.Caller, app, p.Purpose)
	if err != nil {
		return err
	}
	shown := html
	if c.Width > 0 {
		shown = printableLines(html)
	}
	return c.done(shownPage{app, p.Purpose, html}, "%s", shown)
}

func (p pageOf) remove(ctx context.Context, c *Call, app string) error {
	if err := c.Service.RemovePage(ctx, c.Caller, app, p.Purpose); err != nil {
		return err
	}
	return c.done(removal{string(p.Purpose) + "-page", true}, "%s has no %s page of its own any more\n", app, p.Purpose)
}

// shownPage is a page that an app has.
type shownPage struct {
	App     string        `json:"app"`
	Purpose state.Purpose `json:"purpose"`
	HTML    string        `json:"html"`
}
