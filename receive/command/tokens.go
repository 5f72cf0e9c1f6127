package command

import (
	"context"
	"time"

	"boathook/receive/state"
)

func listTokens() Command {
	return Command{Name: "tokens", Usage: "[--user USER] [--json]", Summary: "list tokens", Run: func(ctx context.Context, c *Call) error {
		user, _, err := c.user(c.flags(), 0)
		if err != nil {
			return err
		}
		all, err := c.Service.Tokens(ctx, c.Caller, user)
		if err != nil {
			return err
		}
		return printList(c, tokenLines(all), "NAME ADDED USED EXPIRES", tokenLine.cells)
	}}
}

type tokenLine struct {
	Name    string    `json:"name"`
	Added   time.Time `json:"added"`
	Used    time.Time `json:"used,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
}

func tokenLines(all []state.Token) (lines []tokenLine) {
	for _, t := range all {
		lines = append(lines, tokenLine{Name: t.Name, Added: t.Added, Used: t.LastUsed, Expires: t.Expires})
	}
	return lines
}

func (l tokenLine) cells() []string {
	return []string{l.Name, when(l.Added), when(l.Used), until(l.Expires)}
}
