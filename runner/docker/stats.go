package docker

import (
	"context"
	"encoding/json"
	"time"

	"github.com/docker/docker/api/types/container"

	"boathook/runner"
)

// Stats is described by [runner.Engine].
func (e *Engine) Stats(ctx context.Context, id string) (runner.Usage, error) {
	instance, err := e.instance(ctx, id)
	if err != nil {
		return runner.Usage{}, err
	}
	if instance.Phase != runner.Running {
		return runner.Usage{}, notRunning(id)
	}
	answer, err := e.client.ContainerStatsOneShot(ctx, instance.ID)
	if err != nil {
		return runner.Usage{}, wrap(ctx, "stats of "+id, err)
	}
	defer answer.Body.Close()
	var got container.StatsResponse
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		return runner.Usage{}, wrap(ctx, "stats of "+id, err)
	}
	if got.Read.IsZero() { // what the engine says of one that has ended meanwhile
		return runner.Usage{}, notRunning(id)
	}
	return runner.Usage{
		CPU:    time.Duration(got.CPUStats.CPUUsage.TotalUsage),
		Memory: int64(withoutCache(got.MemoryStats)),
		Limit:  int64(got.MemoryStats.Limit),
	}, nil
}

// withoutCache takes off what the kernel can have back at any time, as `docker stats` does: the file is total_inactive_file with version 1 of
// cgroups, inactive_file with version 2.
func withoutCache(m container.MemoryStats) uint64 {
	cache, ok := m.Stats["total_inactive_file"]
	if !ok {
		cache = m.Stats["inactive_file"]
	}
	return m.Usage - min(cache, m.Usage)
}
