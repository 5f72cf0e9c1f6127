package command

import "context"

func removeKey() Command {
	return Command{Name: "keys-remove", Usage: "NAME|FINGERPRINT [--user USER] [--json]", Summary: "remove a key", Run: func(ctx context.Context, c *Call) error {
		user, args, err := c.user(c.flags(), 1)
		if err != nil {
			return err
		}
		if err := c.Service.RemoveKey(ctx, c.Caller, user, args[0]); err != nil {
			return err
		}
		return c.done(removal{args[0], true}, "the key %s is removed\n", args[0])
	}}
}
