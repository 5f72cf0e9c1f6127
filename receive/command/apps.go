package command

import (
	"context"
	"strconv"
	"time"

	"boathook/receive/apps"
)

func listApps() Command {
	return Command{Name: "apps", Usage: "[--json]", Summary: "list your apps", Run: func(ctx context.Context, c *Call) error {
		if _, err := c.parse(c.flags(), 0, 0); err != nil {
			return err
		}
		all, err := c.Service.List(ctx, c.Caller)
		if err != nil {
			return err
		}
		return printList(c, appLines(all), "APP STATUS OWNER LIVE CREATED", appLine.cells)
	}}
}

type appLine struct {
	Name    string    `json:"name"`
	Status  string    `json:"status"`
	Owner   string    `json:"owner"`
	Live    int64     `json:"live,omitempty"` // the deployment that serves
	Created time.Time `json:"created"`
}

func appLines(all []apps.App) (lines []appLine) {
	for _, a := range all {
		lines = append(lines, appLine{Name: a.Name, Status: a.Status, Owner: a.Owner, Live: a.Live, Created: a.Created})
	}
	return lines
}

func (l appLine) cells() []string {
	live := "-"
	if l.Live != 0 {
		live = strconv.FormatInt(l.Live, 10)
	}
	return []string{l.Name, l.Status, l.Owner, live, when(l.Created)}
}
