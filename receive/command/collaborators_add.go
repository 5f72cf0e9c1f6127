package command

import (
	"context"

	"boathook/receive/apps"
)

func addCollaborator() Command {
	return Command{Name: "collaborators-add", Usage: "APP USER [--limited]", Summary: "let a user in; --limited: to look, not to deploy", Run: func(ctx context.Context, c *Call) error {
		f := c.flags()
		limited := f.Bool("limited", false, "")
		app, args, err := c.app(f, 1, 1)
		if err != nil {
			return err
		}
		role := apps.Collaborator
		if *limited {
			role = apps.LimitedCollaborator
		}
		return c.Service.AddCollaborator(ctx, c.Caller, app, args[0], role)
	}}
}
