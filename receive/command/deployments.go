package command

import (
	"context"
	"strconv"
	"time"

	"boathook/receive/state"
)

func listDeployments() Command {
	return Command{Name: "deployments", Usage: "APP [-n N] [--json]", Summary: "list the last N deployments (20; 0: all), newest first", Run: func(ctx context.Context, c *Call) error {
		f := c.listFlags()
		n := f.Uint("n", 20, "")
		app, _, err := c.app(f, 0, 0)
		if err != nil {
			return err
		}
		all, err := c.Service.Deployments(ctx, c.Caller, app, int(*n))
		if err != nil {
			return err
		}
		return printList(c, deploymentLines(all), "ID STATUS COMMIT PUSHER CREATED", deploymentLine.cells)
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
}

func deploymentLines(all []state.Deployment) (lines []deploymentLine) {
	for _, d := range all {
		lines = append(lines, deploymentLine{
			ID: d.ID, Status: string(d.Status), Reason: d.Reason, Ref: d.Ref, Commit: d.Commit, Pusher: d.Pusher, Image: d.Image,
			Created: d.Created, Finished: d.Finished,
		})
	}
	return lines
}

func (l deploymentLine) cells() []string {
	short := l.Commit[:min(8, len(l.Commit))]
	return []string{strconv.FormatInt(l.ID, 10), l.Status, short, l.Pusher, when(l.Created)}
}
