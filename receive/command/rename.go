package command

import "context"

func renameApp() Command {
	return Command{
		Name: "rename", Usage: "APP NAME [--json]",
		Summary: "give an app another name; it keeps all it has and goes on serving, only its host below the platform's and the URL for git become others",
		Run: func(ctx context.Context, c *Call) error {
			f := c.flags()
			name := f.String("new-name", "", "") // as the scalingo client has it
			app, args, err := c.app(f, 0, 1)
			if err != nil {
				return err
			}
			if *name != "" {
				args = append(args, *name)
			}
			if err := count(args, 1, 1); err != nil {
				return err
			}
			url, err := c.Service.Rename(ctx, c.Caller, app, args[0])
			if err != nil {
				return err
			}
			r := renamed{Name: args[0], Was: app, URL: url, Remote: c.Remote + args[0] + ".git"}
			return c.done(r, "%s is %s now, at %s: 'git remote set-url scalingo %s' in each clone\n", r.Was, r.Name, r.URL, r.Remote)
		},
	}
}

type renamed struct {
	Name   string `json:"name"`
	Was    string `json:"was"`
	URL    string `json:"url"`
	Remote string `json:"remote"` // URL for git
}
