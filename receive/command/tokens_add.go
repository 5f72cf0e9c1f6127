package command

import (
	"context"
	"fmt"
	"time"

	"boathook/receive/apps"
)

func addToken() Command {
	return Command{
		Name:    "tokens-add",
		Usage:   "NAME [--expires DAY|90d] [--user USER] [--json]",
		Summary: "make a token, by which a program may act as you; it is shown this once",
		Run: func(ctx context.Context, c *Call) error {
			var end expiry
			f := c.flags()
			f.Var(&end, "expires", "")
			user, args, err := c.user(f, 1)
			if err != nil {
				return err
			}
			token, err := c.Service.AddToken(ctx, c.Caller, apps.NewToken{User: user, Name: args[0], Expires: end.Time})
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintln(c.Stderr, "Keep this token: it is not shown again."); err != nil {
				return err
			}
			return c.done(newToken{args[0], token, end.Time}, "%s\n", token)
		},
	}
}

type newToken struct {
	Name    string    `json:"name"`
	Token   string    `json:"token"`
	Expires time.Time `json:"expires,omitzero"`
}
