package command

import "context"

func addUser() Command {
	return Command{Name: "users-add", Usage: "NAME [--admin]", Summary: "add a user", Run: func(ctx context.Context, c *Call) error {
		f := c.flags()
		admin := f.Bool("admin", false, "")
		args, err := c.parse(f, 1, 1)
		if err != nil {
			return err
		}
		return c.Service.AddUser(ctx, c.Caller, args[0], *admin)
	}}
}
