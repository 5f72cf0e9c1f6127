package command

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"boathook/receive/state"
)

func showDeployment() Command {
	return Command{Name: "deployment", Usage: "APP [ID] [--json]", Summary: "show when a deployment reached each status and how long each phase took, the newest one's without ID", Run: func(ctx context.Context, c *Call) error {
		app, id, err := c.deployment(c.flags())
		if err != nil {
			return err
		}
		d, err := c.Service.Deployment(ctx, c.Caller, app, id)
		if err != nil {
			return err
		}
		all := detailOf(d)
		if c.json {
			return c.printJSON(all)
		}
		if err := printList(c, all.Transitions, "STATUS AT", func(t transition) []string { return []string{t.Status, when(t.At)} }); err != nil {
			return err
		}
		fmt.Fprintln(c.Stdout)
		return printList(c, phasesOf(d), "PHASE TOOK", func(p phase) []string { return []string{p.name, p.took.Round(time.Millisecond).String()} })
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
	all := detail{deploymentLine: deploymentLines([]state.Deployment{d}, time.Now())[0], Transitions: []transition{}, Phases: map[string]float64{}}
	for _, t := range d.Transitions {
		all.Transitions = append(all.Transitions, transition{string(t.Status), t.At})
	}
	for phase, took := range d.Phases {
		all.Phases[phase] = took.Seconds()
	}
	return all
}

// phaseOrder is the order in which a deployment runs through its phases.
var phaseOrder = []string{"queue", "build", "ship", "release", "start", "wait", "postdeploy", "switch"}

// phase is a line of the second table.
type phase struct {
	name string
	took time.Duration
}

func phasesOf(d state.Deployment) (phases []phase) {
	for _, name := range slices.SortedFunc(maps.Keys(d.Phases), func(a, b string) int {
		return slices.Index(phaseOrder, a) - slices.Index(phaseOrder, b)
	}) {
		phases = append(phases, phase{name, d.Phases[name]})
	}
	return phases
}
