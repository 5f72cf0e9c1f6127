package command

import (
	"context"
	"strconv"
	"strings"

	"boathook/receive/apps"
	"boathook/receive/state"
)

func scale() Command {
	return Command{
		Name:    "scale",
		Usage:   "APP TYPE:[+|-]N[:SIZE]... [--json]",
		Summary: "change the formation: web:2, web:+1, worker:1:L",
		Run: func(ctx context.Context, c *Call) error {
			app, args, err := c.app(c.flags(), 1, -1)
			if err != nil {
				return err
			}
			var changes []apps.Change
			for _, arg := range args {
				change, err := parseChange(arg)
				if err != nil {
					return err
				}
				changes = append(changes, change)
			}
			formation, err := c.Service.Scale(ctx, c.Caller, app, changes, c.waiting)
			if err != nil {
				return err
			}
			return printList(c, formationLines(formation), "TYPE AMOUNT SIZE", formationLine.cells)
		},
	}
}

// parseChange reads TYPE:N, TYPE:+N or TYPE:-N, each with :SIZE or without.
func parseChange(word string) (apps.Change, error) {
	parts := strings.Split(word, ":")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" || parts[len(parts)-1] == "" {
		return apps.Change{}, usagef("%q is not TYPE:N or TYPE:N:SIZE", word)
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil {
		return apps.Change{}, usagef("%q is not a number of containers", parts[1])
	}
	change := apps.Change{Type: parts[0], Amount: n, Relative: strings.ContainsAny(parts[1][:1], "+-")}
	if len(parts) == 3 {
		change.Size = strings.ToUpper(parts[2])
	}
	return change, nil
}

type formationLine struct {
	Type   string `json:"type"`
	Amount int    `json:"amount"`
	Size   string `json:"size"`
}

func formationLines(all []state.ProcessType) (lines []formationLine) {
	for _, p := range all {
		lines = append(lines, formationLine{Type: p.Name, Amount: p.Amount, Size: p.Size})
	}
	return lines
}

func (l formationLine) cells() []string {
	return []string{l.Type, strconv.Itoa(l.Amount), l.Size}
}
