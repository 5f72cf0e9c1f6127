package command

import (
	"context"

	"boathook/receive/apps"
)

func addCollaborator() Command {
	return Command{Name: "collaborators-add", Usage: "APP USER [--limited] [--json]", Summary: "let a user in; --limited: to look and to restart, not to deploy", Run: func(ctx context.Context, c *Call) error {
		f := c.flags()
		limited := f.Bool("limited", false, "")
		app, args, err := c.app(f, 1, 1)
		if err != nil {
			return err
		}
		role, title := apps.Collaborator, "a collaborator"
		if *limited {
			role, title = apps.LimitedCollaborator, "a limited collaborator"
		}
		if err := c.Service.AddCollaborator(ctx, c.Caller, app, args[0], role); err != nil {
			return err
		}
		return c.done(collaboratorLine{args[0], role}, "%s is %s of %s\n", args[0], title, app)
	}}
}
