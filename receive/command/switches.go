package command

import (
	"context"

	"boathook/receive/apps"
)

func forceHTTPS() Command {
	return switchOf("force-https", "redirect plain HTTP to HTTPS", (*apps.Service).SetForceHTTPS)
}

func stickySession() Command {
	return switchOf("sticky-session", "keep a visitor on one web container for 24 hours, by a cookie", (*apps.Service).SetSticky)
}

// switchOf is a command for something that an app has on or off.
func switchOf(name, summary string, set func(*apps.Service, context.Context, apps.Caller, string, bool) error) Command {
	return Command{Name: name, Usage: "APP --enable|--disable", Summary: summary, Run: func(ctx context.Context, c *Call) error {
		f := c.flags()
		on, off := f.Bool("enable", false, ""), f.Bool("disable", false, "")
		app, _, err := c.app(f, 0, 0)
		if err != nil {
			return err
		}
		if *on == *off {
			return usagef("--enable or --disable?")
		}
		if err := set(c.Service, ctx, c.Caller, app, *on); err != nil {
			return err
		}
		is := "off"
		if *on {
			is = "on"
		}
		return c.printf("%s is %s for %s\n", name, is, app)
	}}
}
