package command

import (
	"cmp"
	"context"
	"flag"
	"strconv"
	"time"

	"boathook/receive/apps"
)

func listKeys() Command {
	return Command{Name: "keys", Usage: "[--user USER] [--json]", Summary: "list keys, when and from where each logged in last, and the one app that a deploy-only key is for", Run: func(ctx context.Context, c *Call) error {
		user, _, err := c.user(c.flags(), 0)
		if err != nil {
			return err
		}
		all, err := c.Service.Keys(ctx, c.Caller, user)
		if err != nil {
			return err
		}
		return printList(c, keyLines(all), "NAME TYPE BITS FINGERPRINT ADDED USED FROM EXPIRES APP", keyLine.cells)
	}}
}

// user reads --user ("" is the caller) and exactly n arguments.
func (c *Call) user(f *flag.FlagSet, n int) (string, []string, error) {
	user := f.String("user", "", "")
	args, err := c.parse(f, n, n)
	return *user, args, err
}

type keyLine struct {
	Name        string    `json:"name"`
	Type        string    `json:"type"`
	Bits        int       `json:"bits"`
	Fingerprint string    `json:"fingerprint"`
	Added       time.Time `json:"added"`
	Used        time.Time `json:"used,omitzero"`
	From        string    `json:"from,omitempty"`
	Expires     time.Time `json:"expires,omitzero"`
	App         string    `json:"app,omitempty"`
}

func keyLines(all []apps.Key) (lines []keyLine) {
	for _, k := range all {
		lines = append(lines, keyLine{
			Name: k.Name, Type: k.Type, Bits: k.Bits, Fingerprint: k.Fingerprint, Added: k.Added, Used: k.LastUsed, From: k.LastFrom,
			Expires: k.Expires, App: k.App,
		})
	}
	return lines
}

func (l keyLine) cells() []string {
	return []string{l.Name, l.Type, strconv.Itoa(l.Bits), l.Fingerprint, when(l.Added), when(l.Used), cmp.Or(l.From, "-"), until(l.Expires), cmp.Or(l.App, "-")}
}

// until is an end as tables show it: one that has come is told.
func until(end time.Time) string {
	if !end.IsZero() && !time.Now().Before(end) {
		return "expired " + when(end)
	}
	return when(end)
}
