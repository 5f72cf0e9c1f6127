package command

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"boathook/receive/state"
)

func listDeployments() Command {
	return Command{Name: "deployments", Usage: "APP [-n N] [--json]", Summary: "list the last N deployments (20; 0: all), newest first", Run: func(ctx context.Context, c *Call) error {
		f := c.flags()
		n := f.Uint("n", 20, "")
		app, _, err := c.app(f, 0, 0)
		if err != nil {
			return err
		}
		all, err := c.Service.Deployments(ctx, c.Caller, app, int(*n))
		if err != nil {
			return err
		}
		now := time.Now()
		cells := func(l deploymentLine) []string { return l.cells(now) }
		return printList(c, deploymentLines(all, now), "ID STATUS REF COMMIT PUSHER DURATION CREATED", cells)
	}}
}

type deploymentLine struct {
	ID       int64     `json:"id"`
	Status   string    `json:"status"`
	Reason   string    `json:"reason,omitempty"`
	Ref      string    `json:"ref"`
	Commit   string    `json:"commit"`
	Pusher   string    `json:"pusher"`
	Image    string    `json:"image,omitempty"`
	Created  time.Time `json:"created"`
	Finished time.Time `json:"finished,omitzero"`
	Duration float64   `json:"duration"` // in seconds, from the queue on; so far if it is under way
}

func deploymentLines(all []state.Deployment, now time.Time) (lines []deploymentLine) {
	for _, d := range all {
		lines = append(lines, deploymentLine{
			ID: d.ID, Status: string(d.Status), Reason: d.Reason, Ref: d.Ref, Commit: d.Commit, Pusher: d.Pusher, Image: d.Image,
			Created: d.Created, Finished: d.Finished, Duration: tookBy(now, d).Seconds(),
		})
	}
	return lines
}

// tookBy is how long a deployment took, or has taken by now.
func tookBy(now time.Time, d state.Deployment) time.Duration {
	if d.Finished.IsZero() {
		return max(now.Sub(d.Created), 0) // a clock may have been set back
	}
	return d.Finished.Sub(d.Created)
}

func (l deploymentLine) cells(now time.Time) []string {
	took := time.Duration(l.Duration * float64(time.Second)).Round(time.Second)
	return []string{
		strconv.FormatInt(l.ID, 10), l.Status, orDash(strings.TrimPrefix(l.Ref, "refs/heads/")), l.Commit[:min(8, len(l.Commit))], l.Pusher,
		took.String(), ago(l.Created, now),
	}
}

// ago is a time before now as people say it, in its largest unit: "3m ago".
func ago(t, now time.Time) string {
	since := max(now.Sub(t), 0)
	switch {
	case since < time.Minute:
		return fmt.Sprintf("%ds ago", int(since.Seconds()))
	case since < time.Hour:
		return fmt.Sprintf("%dm ago", int(since.Minutes()))
	case since < 48*time.Hour:
		return fmt.Sprintf("%dh ago", int(since.Hours()))
	}
	return fmt.Sprintf("%dd ago", int(since.Hours()/24))
}
