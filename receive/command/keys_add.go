package command

import (
	"context"
	"flag"

	"boathook/receive/apps"
)

const maxKey = 16 << 10 // bytes; an RSA key of 16,384 bits has 2,800

func addKey() Command {
	return Command{
		Name:    "keys-add",
		Usage:   "NAME [--expires DAY|90d] [--app APP] [--user USER] [--key FILE|-] [--json]",
		Summary: "add a key, from standard input or, on the host, from FILE; --app: only for pushing to APP, cloning it and reading its deployments' logs, for CI",
		Run: func(ctx context.Context, c *Call) error {
			var key apps.NewKey
			var end expiry
			f := c.flags()
			f.Var(&end, "expires", "")
			f.StringVar(&key.App, "app", "", "")
			file := keyFlag(f)
			user := f.String("user", "", "")
			args, err := c.parse(f, 1, -1)
			if err != nil {
				return err
			}
			if len(args) > 1 {
				return usagef("%q is one argument too many: a file is named with --key on the host, and over ssh comes from standard input, '< FILE'", args[1])
			}
			key.User, key.Name, key.Expires = *user, args[0], end.Time
			if key.Text, err = c.key(*file); err != nil {
				return err
			}
			added, err := c.Service.AddKey(ctx, c.Caller, key)
			if err != nil {
				return err
			}
			return c.done(keyLines([]apps.Key{added})[0], "%s %s is added for %s\n", added.Name, added.Fingerprint, added.User)
		},
	}
}

// keyFlag is --key. Only the program on the host takes a FILE: it sends what is in it, and names it "-".
func keyFlag(f *flag.FlagSet) *string { return f.String("key", "-", "") }

// key reads a public key from standard input.
func (c *Call) key(file string) ([]byte, error) {
	if file != "-" {
		return nil, usagef("a file can only be named on the host: use '--key - < FILE'")
	}
	return c.input("the key", maxKey)
}
