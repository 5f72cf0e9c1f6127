package command

import (
	"context"
	"maps"
	"slices"
	"time"

	"boathook/receive/state"
)

func showDeployment() Command {
	return Command{Name: "deployment", Usage: "APP [ID] [--json]", Summary: "show when a deployment reached each status and how long each phase took, the newest one's without ID", Run: func(ctx context.Context, c *Call) error {
		app, id, err := c.deployment(c.listFlags())
		if err != nil {
			return err
		}
		d, err := c.Service.Deployment(ctx, c.Caller, app, id)
		if err != nil {
			return err
		}
		if c.json {
			return c.printJSON(detailOf(d))
		}
		return printList(c, eventsOf(d), "EVENT AT TOOK", func(e event) []string { return e[:] })
	}}
}

// detail is a deployment with its course; durations are in seconds.
type detail struct {
	deploymentLine
	Transitions []transition       `json:"transitions"`
	Phases      map[string]float64 `json:"phases"`
}

type transition struct {
	Status string    `json:"status"`
	At     time.Time `json:"at"`
}

func detailOf(d state.Deployment) detail {
	all := detail{deploymentLine: deploymentLines([]state.Deployment{d})[0], Transitions: []transition{}, Phases: map[string]float64{}}
	for _, t := range d.Transitions {
		all.Transitions = append(all.Transitions, transition{string(t.Status), t.At})
	}
	for phase, took := range d.Phases {
		all.Phases[phase] = took.Seconds()
	}
	return all
}

// event is a line of the table.
type event [3]string

func eventsOf(d state.Deployment) (events []event) {
	for _, t := range d.Transitions {
		events = append(events, event{string(t.Status), when(t.At), "-"})
	}
	for _, phase := range slices.Sorted(maps.Keys(d.Phases)) {
		events = append(events, event{"phase " + phase, "-", d.Phases[phase].Round(time.Millisecond).String()})
	}
	return events
}
