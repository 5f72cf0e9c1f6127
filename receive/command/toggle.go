package command

import (
	"context"
	"flag"

	"boathook/receive/apps"
)

// toggle is something that an app has on or off.
type toggle struct {
	name, what string
	is         func(*apps.Service, context.Context, apps.Caller, string) (bool, error)
	set        func(*apps.Service, context.Context, apps.Caller, string, bool) error
}

// command switches it, or without a flag tells how it is.
func (t toggle) command() Command {
	return Command{Name: t.name, Usage: "APP [--enable|--disable] [--json]", Summary: "say whether " + t.what + "; without a flag: tell", Run: func(ctx context.Context, c *Call) error {
		f := c.flags()
		f.Bool("enable", false, "")
		f.Bool("disable", false, "")
		app, _, err := c.app(f, 0, 0)
		wish := wishOf(f)
		on := wish[true]
		switch {
		case err != nil:
			return err
		case len(wish) == 2:
			return usagef("either --enable or --disable")
		case len(wish) == 1:
			err = t.set(c.Service, ctx, c.Caller, app, on)
		default:
			on, err = t.is(c.Service, ctx, c.Caller, app)
		}
		if err != nil {
			return err
		}
		word := "off"
		if on {
			word = "on"
		}
		return c.done(position{app, t.name, on}, "%s is %s for %s\n", t.name, word, app)
	}}
}

// wishOf is what --enable and --disable say: on, off, nothing or, which is a mistake, both. --enable=false is --disable.
func wishOf(f *flag.FlagSet) map[bool]bool {
	wish := map[bool]bool{}
	f.Visit(func(given *flag.Flag) {
		enable := given.Name == "enable"
		if enable || given.Name == "disable" {
			wish[enable == (given.Value.String() == "true")] = true
		}
	})
	return wish
}

// position is how a toggle of an app is.
type position struct {
	App     string `json:"app"`
	Name    string `json:"name"`
	Enabled bool   `json:"enabled"`
}
