package command

import "context"

func removeToken() Command {
	return Command{Name: "tokens-remove", Usage: "NAME [--user USER] [--json]", Summary: "remove a token", Run: func(ctx context.Context, c *Call) error {
		user, args, err := c.user(c.flags(), 1)
		if err != nil {
			return err
		}
		if err := c.Service.RemoveToken(ctx, c.Caller, user, args[0]); err != nil {
			return err
		}
		return c.done(removal{args[0], true}, "the token %s is removed\n", args[0])
	}}
}
