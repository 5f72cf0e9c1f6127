package scenes

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"
	"github.com/rogpeppe/go-internal/testscript"

	"boathook/receive/state"
	"boathook/runner"
)

// Place is where a boathook has what it makes.
type Place struct {
	Engine    string // local or docker
	Data      string // its directory
	Namespace string // its label at the Docker engine
}

// instance is a container of an app.
type instance struct {
	ID, App, Release, Name, Type string
	Running                      bool
}

// cmdClean waits until nothing is left of any deployment but the live release: clean.
func cmdClean(ts *testscript.TestScript, neg bool, args []string) {
	place, store := placeOf(ts), stored(ts)
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		left, err := Leftovers(context.Background(), place, store)
		ts.Check(err)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("left over: %s", strings.Join(left, ", "))
		}
	}
}

// Leftovers lists what no live release needs: containers, images, quarantines, build volumes, directories of one-offs.
func Leftovers(ctx context.Context, place Place, store *state.Store) (left []string, err error) {
	live := map[string]bool{}
	releases := map[string]bool{}
	all, err := store.Apps(ctx)
	if err != nil {
		return nil, err
	}
	for _, app := range all {
		live[fmt.Sprint(app.Name, "/", app.Live)] = app.Live != 0
		kept, err := store.Releases(ctx, app.Name)
		if err != nil {
			return nil, err
		}
		for _, r := range kept {
			releases[r.Image] = true
		}
	}
	instances, err := place.instances(ctx)
	if err != nil {
		return nil, err
	}
	for _, i := range instances {
		if !live[i.App+"/"+i.Release] || !i.Running {
			left = append(left, "container "+i.App+"/"+i.Release+"/"+i.Name)
		}
	}
	for _, pattern := range []string{"repositories/*.git/objects/tmp_objdir*", "repositories/*.git/objects/pack/tmp_*", "builder/builds/*", "builder/scratch/*"} {
		found, err := filepath.Glob(filepath.Join(place.Data, pattern))
		if err != nil {
			return nil, err
		}
		left = append(left, found...)
	}
	processes, err := ProcessesIn(filepath.Join(place.Data, "builder"))
	if err != nil {
		return nil, err
	}
	left = append(left, processes...)
	if place.Engine == "local" {
		images, err := filepath.Glob(filepath.Join(place.Data, "builder/images/*"))
		for _, image := range images {
			if !releases[image] {
				left = append(left, image)
			}
		}
		return left, err
	}
	return dockerLeftovers(ctx, place.Namespace, releases, left)
}

// ProcessesIn lists the processes whose working directory is below dir.
func ProcessesIn(dir string) (found []string, err error) {
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		return nil, err
	}
	for _, link := range links {
		if cwd, err := os.Readlink(link); err == nil && strings.HasPrefix(cwd, dir) { // a process that has just ended is no concern
			found = append(found, "process "+link+" in "+cwd)
		}
	}
	return found, nil
}

func dockerLeftovers(ctx context.Context, namespace string, releases map[string]bool, left []string) ([]string, error) {
	api, err := dockerClient()
	if err != nil {
		return nil, err
	}
	defer api.Close()
	ours := filters.NewArgs(filters.Arg("label", "boathook.namespace="+namespace))
	images, err := api.ImageList(ctx, image.ListOptions{All: true, Filters: ours})
	if err != nil {
		return nil, err
	}
	for _, i := range images {
		if !releases[i.ID] {
			left = append(left, "image "+i.ID)
		}
	}
	volumes, err := api.VolumeList(ctx, volume.ListOptions{Filters: ours})
	if err != nil {
		return nil, err
	}
	for _, v := range volumes.Volumes {
		if !strings.Contains(v.Name, "cache") {
			left = append(left, "volume "+v.Name)
		}
	}
	containers, err := api.ContainerList(ctx, container.ListOptions{All: true, Filters: ours})
	if err != nil {
		return nil, err
	}
	for _, c := range containers {
		if c.Labels["boathook.type"] == "" {
			left = append(left, "build container "+c.ID)
		}
	}
	return left, nil
}

// instances lists the apps' containers. It does not ask boathook, which may be away.
func (p Place) instances(ctx context.Context) ([]instance, error) {
	if p.Engine == "local" {
		return p.localInstances()
	}
	api, err := dockerClient()
	if err != nil {
		return nil, err
	}
	defer api.Close()
	all, err := api.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(
		filters.Arg("label", "boathook.namespace="+p.Namespace), filters.Arg("label", "boathook.type"))})
	if err != nil {
		return nil, err
	}
	var found []instance
	for _, c := range all {
		kind := c.Labels["boathook.type"]
		if kind == "" {
			continue // a build's
		}
		found = append(found, instance{
			ID: c.ID, App: c.Labels["boathook.app"], Release: c.Labels["boathook.release"], Type: kind, Name: kind + "-" + c.Labels["boathook.number"],
			Running: c.State == "running",
		})
	}
	return found, nil
}

// localInstances reads what the local engine has on disk of its processes. The ID is the directory.
func (p Place) localInstances() (found []instance, err error) {
	records, err := filepath.Glob(filepath.Join(p.Data, "local", "instances", "*", "instance.json"))
	if err != nil {
		return nil, err
	}
	for _, path := range records {
		var record struct {
			runner.Group
			Number int
			Phase  runner.Phase
		}
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) { // it has been removed meanwhile
			continue
		}
		if err == nil {
			err = json.Unmarshal(text, &record)
		}
		if err != nil {
			return nil, err
		}
		found = append(found, instance{
			ID: filepath.Dir(path), App: record.App, Release: record.Release, Type: record.Type, Name: fmt.Sprintf("%s-%d", record.Type, record.Number),
			Running: record.Phase == runner.Running,
		})
	}
	return found, nil
}
