package command

import "context"

func removeCollaborator() Command {
	return Command{Name: "collaborators-remove", Usage: "APP USER [--json]", Summary: "end what collaborators-add began", Run: func(ctx context.Context, c *Call) error {
		app, args, err := c.app(c.flags(), 1, 1)
		if err != nil {
			return err
		}
		if err := c.Service.RemoveCollaborator(ctx, c.Caller, app, args[0]); err != nil {
			return err
		}
		return c.done(removal{args[0], true}, "%s is no collaborator of %s any more\n", args[0], app)
	}}
}
