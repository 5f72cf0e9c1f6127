package command

import (
	"context"

	"boathook/receive/apps"
)

// firstKey is the name of the key that comes with a new user.
const firstKey = "first"

func addUser() Command {
	return Command{
		Name:    "users-add",
		Usage:   "NAME [--admin] [--key FILE|-] [--json]",
		Summary: "add a user, with --key together with a first key, from standard input or, on the host, from FILE",
		Run: func(ctx context.Context, c *Call) error {
			f := c.flags()
			admin := f.Bool("admin", false, "")
			file := f.String("key", "", "")
			args, err := c.parse(f, 1, 1)
			if err != nil {
				return err
			}
			if *file != "" {
				return c.addUserWithKey(ctx, args[0], *admin, *file)
			}
			if err := c.Service.AddUser(ctx, c.Caller, args[0], *admin); err != nil {
				return err
			}
			return c.done(newUser{args[0], *admin, ""}, "%s is added%s: 'keys-add --user %s NAME < KEY.pub' next, to let %s in\n", args[0], asAdmin(*admin), args[0], args[0])
		},
	}
}

func (c *Call) addUserWithKey(ctx context.Context, name string, admin bool, file string) error {
	text, err := c.key(file)
	if err != nil {
		return err
	}
	key, err := c.Service.AddUserWithKey(ctx, c.Caller, name, admin, apps.NewKey{Name: firstKey, Text: text})
	if err != nil {
		return err
	}
	return c.done(newUser{name, admin, key.Fingerprint}, "%s is added%s, with the key %s: '%s create my-app' from where this key is makes the first app\n", name, asAdmin(admin), key.Fingerprint, c.ssh())
}

type newUser struct {
	Name        string `json:"name"`
	Admin       bool   `json:"admin"`
	Fingerprint string `json:"fingerprint,omitempty"` // of the first key
}

func asAdmin(admin bool) string {
	if admin {
		return " as an administrator"
	}
	return ""
}
