package command

import "context"

func removeToken() Command {
	return Command{Name: "tokens-remove", Usage: "NAME [--user USER]", Summary: "remove a token", Run: func(ctx context.Context, c *Call) error {
		user, args, err := c.user(c.flags(), 1)
		if err != nil {
			return err
		}
		return c.Service.RemoveToken(ctx, c.Caller, user, args[0])
	}}
}
