package command

import "context"

func createApp() Command {
	return Command{Name: "create", Usage: "APP [--owner USER]", Summary: "make an app", Run: func(ctx context.Context, c *Call) error {
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
		return c.printf("%s is created for %s: 'git remote add scalingo %s%s.git', then 'git push scalingo master'\n", name, app.Owner, c.Remote, name)
	}}
}
