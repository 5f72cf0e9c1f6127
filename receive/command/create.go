package command

import "context"

func createApp() Command {
	return Command{Name: "create", Usage: "NAME [--owner USER] [--json]", Summary: "make an app", Run: func(ctx context.Context, c *Call) error {
		f := c.flags()
		owner := f.String("owner", "", "")
		name, _, err := c.app(f, 0, 0)
		if err != nil {
			return err
		}
		app, err := c.Service.Create(ctx, c.Caller, name, *owner)
		if err != nil {
			return err
		}
		made := createdApp{name, app.Owner, c.Remote + name + ".git"}
		return c.done(made, "%s is created for %s: 'git remote add scalingo %s', then 'git push scalingo master'\n", name, app.Owner, made.Remote)
	}}
}

type createdApp struct {
	Name   string `json:"name"`
	Owner  string `json:"owner"`
	Remote string `json:"remote"` // URL for git
}
