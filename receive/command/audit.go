package command

import (
	"cmp"
	"context"
	"time"

	"boathook/receive/state"
)

func showAudit() Command {
	return Command{Name: "audit", Usage: "[-n N] [--json]", Summary: "for administrators: list the last N entries (50; 0: all) of who did or was refused what, newest first", Run: func(ctx context.Context, c *Call) error {
		f := c.flags()
		n := f.Uint("n", 50, "")
		if _, err := c.parse(f, 0, 0); err != nil {
			return err
		}
		all, err := c.Service.Audit(ctx, c.Caller, int(*n))
		if err != nil {
			return err
		}
		return printList(c, auditLines(all), "AT USER APP ACTION RESULT REMOTE KEY", auditLine.cells)
	}}
}

type auditLine struct {
	At     time.Time `json:"at"`
	User   string    `json:"user"`
	App    string    `json:"app"`
	Action string    `json:"action"`
	Result string    `json:"result"`
	Remote string    `json:"remote"`
	Key    string    `json:"key"`
}

func auditLines(all []state.AuditEntry) (lines []auditLine) {
	for _, e := range all {
		lines = append(lines, auditLine{At: e.At, User: e.User, App: e.App, Action: e.Action, Result: e.Result, Remote: e.Remote, Key: e.Fingerprint})
	}
	return lines
}

func (l auditLine) cells() []string {
	return []string{when(l.At), cmp.Or(l.User, "-"), cmp.Or(l.App, "-"), l.Action, l.Result, cmp.Or(l.Remote, "-"), cmp.Or(l.Key, "-")}
}
