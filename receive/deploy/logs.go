package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

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
	match, seen, last := matching(opt.Filter), map[string]bool{}, ""
	query := applog.Query{Lines: opt.Lines, Follow: opt.Follow, Match: func(name string) bool {
		if name != last && !opt.Follow { // one that prints much has most lines
			seen[name], last = true, name
		}
		return match(name)
	}}
	write := func(e applog.Entry) error { _, err := fmt.Fprintln(w, e); return err }
	if opt.JSON {
		lines := json.NewEncoder(w)
		lines.SetEscapeHTML(false)
		write = func(e applog.Entry) error { return lines.Encode(logLine{e.At.UTC(), e.Name, e.Text}) }
	}
	if err := log.Read(ctx, query, write); err != nil || opt.Follow {
		return err
	}
	return d.checkFilter(ctx, name, opt.Filter, seen)
}

// checkFilter refuses a filter for what has printed nothing and is not there either, which is a mistake more likely than a wish. Who follows may
// be waiting for it.
func (d *Deployer) checkFilter(ctx context.Context, name, filter string, seen map[string]bool) error {
	if unmatched(filter, seen) == "" {
		return nil
	}
	_, release, err := d.liveRelease(ctx, name)
	if err != nil {
		return err
	}
	containers, err := d.Instances(ctx, name)
	if err != nil {
		return err
	}
	kinds := map[string]bool{"router": true}
	for known := range seen {
		kinds[typeOf(known)] = true
	}
	for known := range release.Types {
		kinds[known], seen[known] = true, true
	}
	for _, c := range containers {
		kinds[typeOf(c.Name)], seen[c.Name] = true, true
	}
	seen["router"] = true
	if stranger := unmatched(filter, seen); stranger != "" {
		there := strings.Join(slices.Sorted(maps.Keys(kinds)), ", ")
		return fmt.Errorf("nothing of %s is called %q: choose from %s, or a container that 'ps %s' lists", name, stranger, there, name)
	}
	return nil
}

// logLine is a line of an app's log for programs.
type logLine struct {
	At   time.Time `json:"at"`
	Name string    `json:"name"` // of the container, or "router"
	Text string    `json:"text"`
}

// alternatives are the names of a filter: "web|worker" has two. None is a filter that takes all.
func alternatives(filter string) []string {
	return strings.FieldsFunc(filter, func(r rune) bool { return r == '|' })
}

// matching takes the containers with one of the names, or of one of the types: "web-1", "web|worker", "router".
func matching(filter string) func(string) bool {
	names := alternatives(filter)
	return func(name string) bool {
		return len(names) == 0 || slices.Contains(names, name) || slices.Contains(names, typeOf(name))
	}
}

// unmatched is the first alternative that takes nothing of what there is, or "".
func unmatched(filter string, there map[string]bool) string {
	for _, one := range alternatives(filter) {
		found := false
		for name := range there {
			found = found || name == one || typeOf(name) == one
		}
		if !found {
			return one
		}
	}
	return ""
}

// typeOf is the process type in the name of a container, or the whole name of what is none.
func typeOf(name string) string {
	if at := strings.LastIndexByte(name, '-'); at > 0 {
		return name[:at]
	}
	return name
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
