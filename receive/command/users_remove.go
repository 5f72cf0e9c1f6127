package command

import "context"

func removeUser() Command {
	return Command{Name: "users-remove", Usage: "NAME [--json]", Summary: "remove a user who owns no app", Run: func(ctx context.Context, c *Call) error {
		args, err := c.parse(c.flags(), 1, 1)
		if err != nil {
			return err
		}
		if err := c.Service.RemoveUser(ctx, c.Caller, args[0]); err != nil {
			return err
		}
		return c.done(removal{args[0], true}, "%s is no user any more\n", args[0])
	}}
}
