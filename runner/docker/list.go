package docker

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"golang.org/x/sync/errgroup"

	"boathook/runner"
)

// parallelInspects bounds the questions that one List asks at a time.
const parallelInspects = 16

// List asks the engine for the selected containers and inspects each. One that is removed meanwhile is left out.
func (e *Engine) List(ctx context.Context, sel runner.Selector) ([]runner.Instance, error) {
	found, err := e.client.ContainerList(ctx, container.ListOptions{All: true, Filters: e.selected(sel)})
	if err != nil {
		return nil, wrap(ctx, "list containers", err)
	}
	all := make([]*runner.Instance, len(found))
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.SetLimit(parallelInspects)
	for i, c := range found {
		tasks.Go(func() error {
			got, err := e.client.ContainerInspect(ctx, c.ID)
			if isNotFound(err) {
				return nil
			}
			if err != nil {
				return wrap(ctx, "inspect "+c.ID, err)
			}
			instance := read(got)
			all[i] = &instance
			return nil
		})
	}
	if err := tasks.Wait(); err != nil {
		return nil, err
	}
	var list []runner.Instance
	for _, instance := range all {
		if instance != nil {
			list = append(list, *instance)
		}
	}
	slices.SortFunc(list, func(a, b runner.Instance) int {
		return cmp.Or(compareGroups(a.Group, b.Group), cmp.Compare(a.Number, b.Number), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

// Groups reads them from the labels alone.
func (e *Engine) Groups(ctx context.Context) ([]runner.Group, error) {
	found, err := e.client.ContainerList(ctx, container.ListOptions{All: true, Filters: e.selected(runner.Selector{})})
	if err != nil {
		return nil, wrap(ctx, "list containers", err)
	}
	var groups []runner.Group
	for _, c := range found {
		groups = append(groups, readLabels(c.Labels).Group)
	}
	slices.SortFunc(groups, compareGroups)
	return slices.Compact(groups), nil
}

func compareGroups(a, b runner.Group) int {
	return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.Release, b.Release), cmp.Compare(a.Type, b.Type))
}

// instance inspects one container. One of another namespace is not found.
func (e *Engine) instance(ctx context.Context, id string) (runner.Instance, error) {
	got, err := e.client.ContainerInspect(ctx, id)
	if err != nil {
		return runner.Instance{}, wrap(ctx, "inspect "+id, err)
	}
	if got.Config.Labels[labelNamespace] != e.cfg.Namespace {
		return runner.Instance{}, fmt.Errorf("inspect %s: %w", id, runner.ErrNotFound)
	}
	return read(got), nil
}

// read translates the engine's words. A container that waits for its next restart counts as exited.
func read(got container.InspectResponse) runner.Instance {
	p := readLabels(got.Config.Labels)
	i := runner.Instance{
		Group:    p.Group,
		ID:       got.ID,
		Number:   p.number,
		Phase:    phase(got.State),
		Image:    got.Config.Image,
		Started:  startTime(got.State),
		Restarts: got.RestartCount,
		OneOff:   p.once,
		Command:  lastWord(got.Config),
	}
	if i.Phase == runner.Running && p.port != "" {
		i.Addr = address(got, p.port)
	}
	if i.Phase == runner.Exited || i.Phase == runner.Restarting {
		i.ExitCode = got.State.ExitCode
		i.OOMKilled = oomKilled(got.State)
	}
	return i
}

// lastWord is that of the command line.
func lastWord(c *container.Config) string {
	line := slices.Concat(c.Entrypoint, c.Cmd)
	if len(line) == 0 {
		return ""
	}
	return line[len(line)-1]
}

func phase(s *container.State) runner.Phase {
	switch {
	case s.Status == container.StateCreated:
		return runner.Pending
	case s.Restarting:
		return runner.Restarting
	case s.Running:
		return runner.Running
	}
	return runner.Exited
}

// oomKilled leaves out a container that lost a child to the memory limit and ended well nevertheless; the
// engine's own word speaks of any process in it.
func oomKilled(s *container.State) bool { return s.OOMKilled && s.ExitCode != 0 }

// startTime is zero for a container that never ran, for which the engine says 0001-01-01T00:00:00Z.
func startTime(s *container.State) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s.StartedAt)
	if err != nil {
		return time.Time{}
	}
	return t
}

// address is in the app's network, the only one that a container is in.
func address(got container.InspectResponse, port string) string {
	for _, endpoint := range got.NetworkSettings.Networks {
		if endpoint.IPAddress != "" {
			return net.JoinHostPort(endpoint.IPAddress, port)
		}
	}
	return ""
}

func isNotFound(err error) bool { return errdefs.IsNotFound(err) }
