package deploy

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"boathook/receive/apps"
	"boathook/runner"
)

// statsPause lies between the two looks that make a percentage. The local engine counts in hundredths of a second.
const statsPause = time.Second

// parallelStats bounds the questions that the engine is asked at a time.
const parallelStats = 16

// Stats tells what the running containers of the live release use. It takes a second.
func (d *Deployer) Stats(ctx context.Context, name string) ([]apps.Usage, error) {
	running, err := d.running(ctx, name)
	if err != nil {
		return nil, err
	}
	first, err := d.measure(ctx, running)
	if err != nil || len(running) == 0 {
		return nil, err
	}
	if err := untilStayed(ctx, statsPause); err != nil {
		return nil, context.Cause(ctx)
	}
	second, err := d.measure(ctx, running)
	if err != nil {
		return nil, err
	}
	var all []apps.Usage
	for i, instance := range running {
		if first[i] == nil || second[i] == nil {
			continue
		}
		used := second[i].CPU - first[i].CPU
		all = append(all, apps.Usage{
			Name: instance.Name(), CPU: 100 * float64(max(used, 0)) / float64(second[i].at.Sub(first[i].at)),
			Memory: second[i].Memory, Limit: second[i].Limit,
		})
	}
	return all, nil
}

// sample is what a container has used until a moment.
type sample struct {
	runner.Usage
	at time.Time
}

// measure takes a sample of each; nil of one that does not run any more.
func (d *Deployer) measure(ctx context.Context, running []runner.Instance) ([]*sample, error) {
	samples := make([]*sample, len(running))
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.SetLimit(parallelStats)
	for i, instance := range running {
		tasks.Go(func() error {
			used, err := d.Engine.Stats(ctx, instance.ID)
			if errors.Is(err, runner.ErrNotFound) {
				return nil
			}
			samples[i] = &sample{used, time.Now()}
			return err
		})
	}
	return samples, tasks.Wait()
}

// Stats is asked again while the engine is away.
func (p patient) Stats(ctx context.Context, id string) (used runner.Usage, err error) {
	err = again(ctx, answerTime, func(ctx context.Context) error { used, err = p.Engine.Stats(ctx, id); return err })
	return used, err
}
