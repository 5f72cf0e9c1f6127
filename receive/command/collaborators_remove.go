package command

import "context"

func removeCollaborator() Command {
	return Command{Name: "collaborators-remove", Usage: "APP USER", Summary: "end what collaborators-add began", Run: func(ctx context.Context, c *Call) error {
		app, args, err := c.app(c.flags(), 1, 1)
		if err != nil {
			return err
		}
		return c.Service.RemoveCollaborator(ctx, c.Caller, app, args[0])
	}}
}
