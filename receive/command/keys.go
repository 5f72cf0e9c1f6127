package command

import (
	"context"
	"flag"
	"time"

	"boathook/receive/state"
)

func listKeys() Command {
	return Command{Name: "keys", Usage: "[--user USER] [--json]", Summary: "list keys", Run: func(ctx context.Context, c *Call) error {
		user, _, err := c.user(c.listFlags(), 0)
		if err != nil {
			return err
		}
		all, err := c.Service.Keys(ctx, c.Caller, user)
		if err != nil {
			return err
		}
		return printList(c, keyLines(all), "NAME TYPE FINGERPRINT ADDED USED", keyLine.cells)
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
	Fingerprint string    `json:"fingerprint"`
	Added       time.Time `json:"added"`
	Used        time.Time `json:"used,omitzero"`
}

func keyLines(all []state.Key) (lines []keyLine) {
	for _, k := range all {
		lines = append(lines, keyLine{Name: k.Name, Type: k.Type, Fingerprint: k.Fingerprint, Added: k.Added, Used: k.LastUsed})
	}
	return lines
}

func (l keyLine) cells() []string {
	return []string{l.Name, l.Type, l.Fingerprint, when(l.Added), when(l.Used)}
}
