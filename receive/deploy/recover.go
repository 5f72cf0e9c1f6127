package deploy

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"boathook/receive/gitpack"
	"boathook/receive/state"
	"boathook/runner"
)

// Recover brings the engine, the router and the refs in step with what the store knows. Call it once, before the first push: deployments
// that were under way when boathook ended become aborted, their containers and images are removed, every live release is
// routed to, and containers of it that are missing are started.
func (d *Deployer) Recover(ctx context.Context) error {
	apps, err := d.Store.Apps(ctx)
	if err != nil {
		return fmt.Errorf("apps: %w", err)
	}
	live := map[string]string{}
	for _, app := range apps {
		if app.Live != 0 {
			live[app.Name] = strconv.FormatInt(app.Live, 10)
		}
	}
	// Containers go before the images that they are made of.
	if err := d.removeStrays(ctx, live); err != nil {
		return err
	}
	unfinished, err := d.Store.Unfinished(ctx)
	if err != nil {
		return fmt.Errorf("unfinished deployments: %w", err)
	}
	for _, dead := range unfinished {
		if err := d.bury(ctx, dead); err != nil {
			return fmt.Errorf("deployment %d: %w", dead.ID, err)
		}
	}
	if err := d.removeStrayImages(ctx, apps); err != nil {
		return err
	}
	for _, app := range apps {
		if err := d.revive(ctx, app); err != nil {
			// One app that cannot be brought back must not keep the others from being served.
			d.Log.Error("app not revived", "app", app.Name, "err", err)
		}
	}
	d.background.Go(func() { d.routes.follow(d.stop) })
	return nil
}

// bury ends a deployment that died with an earlier boathook.
func (d *Deployer) bury(ctx context.Context, dead state.Deployment) error {
	if err := d.Store.SetStatus(ctx, dead.ID, state.Aborted, "boathook was stopped during the deployment"); err != nil {
		return err
	}
	if err := d.restoreRef(ctx, dead); err != nil {
		return err
	}
	release, err := d.Store.Release(ctx, dead.ID)
	if errors.Is(err, state.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	d.discard(ctx, release)
	return nil
}

// restoreRef puts the branch of a dead deployment back to the last commit of it that went live, or removes it.
func (d *Deployer) restoreRef(ctx context.Context, dead state.Deployment) error {
	now, err := d.Refs.Head(ctx, dead.App, dead.Ref)
	if err != nil || now != dead.Commit {
		return err
	}
	before := gitpack.ZeroID
	all, err := d.Store.Deployments(ctx, dead.App, 0)
	if err != nil {
		return err
	}
	for _, other := range all {
		if other.Status == state.Success && other.Ref == dead.Ref {
			before = other.Commit
			break
		}
	}
	if before == now {
		return nil
	}
	return d.Refs.SetHead(ctx, dead.App, dead.Ref, now, before)
}

// removeStrays removes every container that belongs to no live release.
func (d *Deployer) removeStrays(ctx context.Context, live map[string]string) error {
	groups, err := d.Engine.Groups(ctx)
	if err != nil {
		return fmt.Errorf("groups of the engine: %w", err)
	}
	for _, g := range groups {
		if live[g.App] == g.Release && g.Type != "postdeploy" {
			continue
		}
		d.Log.Info("stray containers removed", "group", g.String())
		if err := d.Engine.Remove(ctx, runner.Selector(g), 0); err != nil {
			return fmt.Errorf("remove %s: %w", g, err)
		}
	}
	return nil
}

// removeStrayImages removes the images that no release knows: their deployment died before it could record one.
func (d *Deployer) removeStrayImages(ctx context.Context, apps []state.App) error {
	known := map[string]bool{}
	for _, app := range apps {
		releases, err := d.Store.Releases(ctx, app.Name)
		if err != nil {
			return fmt.Errorf("releases of %s: %w", app.Name, err)
		}
		for _, r := range releases {
			known[r.Image] = true
		}
	}
	images, err := d.Builder.Images(ctx)
	if err != nil {
		return err
	}
	for _, ref := range images {
		if known[ref] {
			continue
		}
		d.Log.Info("stray image removed", "image", ref)
		if err := d.Builder.Remove(ctx, ref); err != nil {
			return err
		}
	}
	return nil
}

// revive routes to an app's live release after starting what is missing of it.
func (d *Deployer) revive(ctx context.Context, app state.App) error {
	if app.Live == 0 {
		return nil
	}
	id := strconv.FormatInt(app.Live, 10)
	formation, err := d.Store.Formation(ctx, app.Name)
	if err != nil {
		return err
	}
	instances, err := d.Engine.List(ctx, runner.Selector{App: app.Name, Release: id})
	if err != nil {
		return err
	}
	d.routes.live(app.Name, id, instances)
	for _, p := range formation {
		if err := d.fill(ctx, app, p, instances); err != nil {
			return err
		}
	}
	_, err = d.routes.refresh(ctx, app.Name)
	return err
}

// fill starts the containers of one process type that should run and do not.
func (d *Deployer) fill(ctx context.Context, app state.App, p state.ProcessType, instances []runner.Instance) error {
	present := map[int]bool{}
	for _, i := range instances {
		if i.Type != p.Name {
			continue
		}
		if i.Phase == runner.Running || i.Phase == runner.Pending {
			present[i.Number] = true
		} else if err := d.Engine.RemoveInstance(ctx, i.ID, 0); err != nil {
			return err
		}
	}
	for number := 1; number <= p.Amount; number++ {
		if present[number] {
			continue
		}
		if err := d.startOne(ctx, app, p, number); err != nil {
			return err
		}
	}
	return nil
}

// startOne starts one numbered container of the live release.
func (d *Deployer) startOne(ctx context.Context, app state.App, p state.ProcessType, number int) error {
	release, err := d.Store.Release(ctx, app.Live)
	if err != nil {
		return fmt.Errorf("release %d: %w", app.Live, err)
	}
	vars, err := d.Store.Variables(ctx, app.Name)
	if err != nil {
		return fmt.Errorf("variables: %w", err)
	}
	p.Command = release.Types[p.Name]
	spec, err := d.spec(app, release, resolveAliases(vars), p)
	if err != nil {
		return err
	}
	spec.First, spec.Replicas = number, 1
	if _, err := d.Engine.Start(ctx, spec); err != nil {
		return fmt.Errorf("start %s-%d: %w", p.Name, number, err)
	}
	return d.Engine.Keep(ctx, runner.Selector(spec.Group))
}
