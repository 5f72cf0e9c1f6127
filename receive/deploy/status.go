package deploy

import (
	"context"
	"slices"
	"strconv"

	"boathook/receive/state"
	"boathook/runner"
)

// Statuses tells how each of the apps fares, by name: "new" (never deployed), "scaling", "restarting", "crashed" (a container
// was given up), "stopped" (scaled to nothing), "booting" (a container is missing or not yet up), or "running".
func (d *Deployer) Statuses(ctx context.Context, apps []state.App) (map[string]string, error) {
	instances, err := d.Engine.List(ctx, runner.Selector{})
	if err != nil {
		return nil, err
	}
	running := byApp(instances)
	statuses := map[string]string{}
	for _, app := range apps {
		formation, err := d.Store.Formation(ctx, app.Name)
		if err != nil {
			return nil, err
		}
		statuses[app.Name] = d.status(app, amounts(formation), running[app.Name])
	}
	return statuses, nil
}

// status judges one app by how many containers it should have and by those that there are, of whatever release.
func (d *Deployer) status(app state.App, want int, instances []runner.Instance) string {
	live := strconv.FormatInt(app.Live, 10)
	given := d.reconciler.crashes.given(app.Name, live)
	up, restarting := 0, false
	for _, i := range instances {
		if i.Release != live || !inFormation(i.Type) || slices.Contains(given, slotOf(i)) {
			continue
		}
		restarting = restarting || i.Phase == runner.Restarting
		if i.Phase == runner.Running {
			up++
		}
	}
	purpose := d.claims.purpose(app.Name)
	switch {
	case app.Live == 0:
		return "new"
	case purpose == "scaling":
		return "scaling"
	case purpose == "restart" || restarting:
		return "restarting"
	case len(given) > 0:
		return "crashed"
	case want == 0:
		return "stopped"
	case up < want:
		return "booting"
	}
	return "running"
}
