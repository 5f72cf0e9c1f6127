package deploy

import (
	"context"
	"fmt"
	"io"
	"strings"

	"boathook/receive/applog"
	"boathook/receive/apps"
)

// Logs implements apps.Runtime: what the app's containers and hooks have printed, and what the router has answered for it if that was
// asked for, each line with its time and its source.
func (d *Deployer) Logs(ctx context.Context, name string, opt apps.LogOptions, w io.Writer) error {
	app, err := d.Store.App(ctx, name)
	if err != nil {
		return err
	}
	log, err := d.Logbook.Log(app.ID)
	if err != nil {
		return err
	}
	query := applog.Query{Lines: opt.Lines, Follow: opt.Follow, Match: matching(opt.Filter)}
	return log.Read(ctx, query, func(e applog.Entry) error {
		_, err := fmt.Fprintln(w, e)
		return err
	})
}

// matching takes the container with the name, or those of the type: "web-1", "web", "router".
func matching(filter string) func(string) bool {
	return func(name string) bool {
		at := strings.LastIndexByte(name, '-')
		return filter == "" || filter == name || at > 0 && filter == name[:at]
	}
}

// sweepLogs removes the logs of apps that are gone.
func (d *Deployer) sweepLogs(ctx context.Context) error {
	all, err := d.Store.Apps(ctx)
	if err != nil {
		return err
	}
	there := map[int64]bool{}
	for _, app := range all {
		there[app.ID] = true
	}
	return d.Logbook.Sweep(func(app int64) bool { return there[app] })
}
