package command

import (
	"context"
	"time"

	"boathook/receive/apps"
)

func listContainers() Command {
	return Command{Name: "ps", Usage: "APP [--json]", Summary: "list containers", Run: func(ctx context.Context, c *Call) error {
		app, _, err := c.app(c.flags(), 0, 0)
		if err != nil {
			return err
		}
		_, all, err := c.Service.Processes(ctx, c.Caller, app)
		if err != nil {
			return err
		}
		return printList(c, containerLines(all), "NAME STATUS SIZE SINCE COMMAND", containerLine.cells)
	}}
}

type containerLine struct {
	Name    string    `json:"name"`
	Status  string    `json:"status"`
	Size    string    `json:"size"`
	Since   time.Time `json:"since,omitzero"`
	Command string    `json:"command"`
}

func containerLines(all []apps.Container) (lines []containerLine) {
	for _, i := range all {
		lines = append(lines, containerLine{Name: i.Name, Status: i.State, Size: i.Size, Since: i.Since, Command: i.Command})
	}
	return lines
}

func (l containerLine) cells() []string {
	return []string{l.Name, l.Status, orDash(l.Size), when(l.Since), l.Command}
}
