package command

import (
	"context"
	"fmt"

	"github.com/docker/go-units"

	"boathook/receive/apps"
)

func showStats() Command {
	return Command{Name: "stats", Usage: "APP [--json]", Summary: "show what each running container uses: processor time, 100% being one processor, and memory, of which it may have up to the limit", Run: func(ctx context.Context, c *Call) error {
		app, _, err := c.app(c.flags(), 0, 0)
		if err != nil {
			return err
		}
		all, err := c.Service.Stats(ctx, c.Caller, app)
		if err != nil {
			return err
		}
		return printList(c, usageLines(all), "NAME CPU MEMORY LIMIT", usageLine.cells)
	}}
}

// usageLine has memory in bytes, and the processor in percent of one.
type usageLine struct {
	Name   string  `json:"name"`
	CPU    float64 `json:"cpu"`
	Memory int64   `json:"memory"`
	Limit  int64   `json:"limit,omitempty"`
}

func usageLines(all []apps.Usage) (lines []usageLine) {
	for _, u := range all {
		lines = append(lines, usageLine{u.Name, u.CPU, u.Memory, u.Limit})
	}
	return lines
}

func (l usageLine) cells() []string {
	limit := ""
	if l.Limit > 0 {
		limit = units.BytesSize(float64(l.Limit))
	}
	return []string{l.Name, fmt.Sprintf("%.1f%%", l.CPU), units.BytesSize(float64(l.Memory)), orDash(limit)}
}
