package deploy

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"sync"

	"boathook/runner"
)

// inHand is the releases that this process is at work on: those of deployments under way, former ones until they are retired, and one of which
// a hook runs by itself.
// Whatever else the engine has, and is not live, is a stray.
type inHand struct {
	mu       sync.Mutex // guards releases
	releases map[string]int
}

// take counts a release in; the returned function counts it out.
func (h *inHand) take(release string) (done func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.releases == nil {
		h.releases = map[string]int{}
	}
	h.releases[release]++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.releases[release]--; h.releases[release] == 0 {
			delete(h.releases, release)
		}
	}
}

func (h *inHand) has(release string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.releases[release] > 0
}

func (h *inHand) all() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.releases)
}

func (h *inHand) empty() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.releases) == 0
}

// removeStrays removes the containers that belong to no live release and to nothing in hand, and then the images that no release
// knows. They are what an engine still did for a boathook that had died: so it is not enough to look once at the start.
func (d *Deployer) removeStrays(ctx context.Context) error {
	groups, err := d.Engine.Groups(ctx)
	if err != nil {
		return fmt.Errorf("groups of the engine: %w", err)
	}
	// What is in hand is asked before the store and after it: a release may go live meanwhile, and another cease to be.
	before := d.inHand.all()
	apps, err := d.Store.Apps(ctx)
	if err != nil {
		return fmt.Errorf("apps: %w", err)
	}
	known, live := map[string]bool{}, map[string]string{}
	for _, app := range apps {
		known[app.Name] = true
		if app.Live != 0 {
			live[app.Name] = strconv.FormatInt(app.Live, 10)
		}
	}
	for _, g := range groups {
		if g.Type == oneOff && known[g.App] {
			if err := d.removeStrayOneOffs(ctx, g); err != nil {
				return err
			}
			continue
		}
		if before[g.Release] > 0 || d.inHand.has(g.Release) || live[g.App] == g.Release && !isHook(g.Type) {
			continue
		}
		d.Log.Info("stray containers removed", "group", g.String())
		if err := d.Engine.Remove(ctx, runner.Selector(g), 0); err != nil {
			return fmt.Errorf("remove %s: %w", g, err)
		}
	}
	return d.removeStrayImages(ctx)
}

// removeStrayImages removes the images that no release knows: their deployment died before it could record one. While a
// deployment is under way nothing is removed, as its image may be waiting for its record.
func (d *Deployer) removeStrayImages(ctx context.Context) error {
	images, err := d.Builder.Images(ctx)
	if err != nil || !d.inHand.empty() {
		return err
	}
	releases, err := d.Store.Releases(ctx, "") // at once: an app may get another name between two questions
	if err != nil {
		return fmt.Errorf("releases: %w", err)
	}
	known := map[string]bool{}
	for _, r := range releases {
		known[r.Image] = true
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
