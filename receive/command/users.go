package command

import (
	"context"
	"strconv"
	"time"

	"boathook/receive/state"
)

func listUsers() Command {
	return Command{Name: "users", Usage: "[--json]", Summary: "list users", Run: func(ctx context.Context, c *Call) error {
		if _, err := c.parse(c.flags(), 0, 0); err != nil {
			return err
		}
		all, err := c.Service.Users(ctx, c.Caller)
		if err != nil {
			return err
		}
		return printList(c, userLines(all), "USER ADMIN CREATED", userLine.cells)
	}}
}

type userLine struct {
	Name    string    `json:"name"`
	Admin   bool      `json:"admin"`
	Created time.Time `json:"created"`
}

func userLines(all []state.User) (lines []userLine) {
	for _, u := range all {
		lines = append(lines, userLine{Name: u.Name, Admin: u.Admin, Created: u.Created})
	}
	return lines
}

func (l userLine) cells() []string {
	return []string{l.Name, strconv.FormatBool(l.Admin), when(l.Created)}
}
