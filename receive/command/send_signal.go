package command

import (
	"context"
	"strings"
)

func sendSignal() Command {
	return Command{
		Name: "send-signal", Usage: "APP --signal SIGNAL CONTAINER|TYPE... [--json]",
		Summary: "send a signal to running containers: --signal USR1 web-1 worker",
		Run: func(ctx context.Context, c *Call) error {
			f := c.flags()
			signal := f.String("signal", "", "")
			alias(f, map[string]string{"signal": "s"})
			app, to, err := c.app(f, 1, -1)
			if err != nil {
				return err
			}
			if *signal == "" {
				return usagef("which signal? --signal USR1, for one")
			}
			sent, err := c.Service.Signal(ctx, c.Caller, app, *signal, to)
			if err != nil {
				return err
			}
			name := strings.TrimPrefix(strings.ToUpper(*signal), "SIG")
			if c.json {
				return c.printJSON(sentSignals(sent, name))
			}
			return c.printf("%s is sent to %s\n", name, strings.Join(sent, ", "))
		},
	}
}

type sentSignal struct {
	Name   string `json:"name"` // of the container
	Signal string `json:"signal"`
}

func sentSignals(to []string, signal string) (all []sentSignal) {
	for _, name := range to {
		all = append(all, sentSignal{name, signal})
	}
	return all
}
