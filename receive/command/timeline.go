package command

import (
	"cmp"
	"context"
	"time"

	"boathook/receive/state"
)

func appTimeline() Command {
	return Command{Name: "timeline", Usage: "APP [-n N] [--json]", Summary: "for the owner: list the last N entries (50; 0: all) of who did or was refused what with an app, newest first", Run: func(ctx context.Context, c *Call) error {
		f := c.flags()
		n := f.Uint("n", 50, "")
		app, _, err := c.app(f, 0, 0)
		if err != nil {
			return err
		}
		all, err := c.Service.Timeline(ctx, c.Caller, app, int(*n))
		if err != nil {
			return err
		}
		return printList(c, timelineLines(all), "AT USER ACTION RESULT", timelineLine.cells)
	}}
}

type timelineLine struct {
	At     time.Time `json:"at"`
	User   string    `json:"user"`
	Action string    `json:"action"`
	Result string    `json:"result"`
}

func timelineLines(all []state.AuditEntry) (lines []timelineLine) {
	for _, e := range all {
		lines = append(lines, timelineLine{At: e.At, User: e.User, Action: e.Action, Result: e.Result})
	}
	return lines
}

func (l timelineLine) cells() []string {
	return []string{when(l.At), cmp.Or(l.User, "-"), l.Action, l.Result}
}
