package command

import (
	"context"

	"boathook/receive/state"
)

func listCollaborators() Command {
	return Command{Name: "collaborators", Usage: "APP [--json]", Summary: "list who may use an app: its owner and the collaborators", Run: func(ctx context.Context, c *Call) error {
		app, _, err := c.app(c.flags(), 0, 0)
		if err != nil {
			return err
		}
		all, err := c.Service.Collaborators(ctx, c.Caller, app)
		if err != nil {
			return err
		}
		return printList(c, collaboratorLines(all), "USER ROLE", collaboratorLine.cells)
	}}
}

type collaboratorLine struct {
	User string `json:"user"`
	Role string `json:"role"`
}

func collaboratorLines(all []state.Collaborator) (lines []collaboratorLine) {
	for _, o := range all {
		lines = append(lines, collaboratorLine{User: o.User, Role: o.Role})
	}
	return lines
}

func (l collaboratorLine) cells() []string { return []string{l.User, l.Role} }
