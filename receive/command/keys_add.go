package command

import "context"

const maxKey = 16 << 10 // bytes; an RSA key of 16,384 bits has 2,800

func addKey() Command {
	return Command{Name: "keys-add", Usage: "NAME [--user USER] < KEY.pub", Summary: "add a key", Run: func(ctx context.Context, c *Call) error {
		user, args, err := c.user(c.flags(), 1)
		if err != nil {
			return err
		}
		text, err := c.input(maxKey)
		if err != nil {
			return err
		}
		key, err := c.Service.AddKey(ctx, c.Caller, user, args[0], text)
		if err != nil {
			return err
		}
		return c.printf("%s %s is added for %s\n", key.Name, key.Fingerprint, key.User)
	}}
}
