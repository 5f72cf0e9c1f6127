package deploy

import (
	"context"
	"fmt"
	"time"

	"boathook/runner"
)

// patient is an engine whose questions and clean-ups are asked again while it cannot be reached: an engine that restarts
// must neither end a deployment nor leave containers behind. One that takes a request and never answers counts as one that
// cannot be reached. Start and Run are not repeated, since what an unreachable engine has made of them is not known; their
// failure aborts the deployment, and its clean-up is patient.
type patient struct{ runner.Engine }

// How long the engine may take for an answer, and for starting the containers of one type.
const (
	answerTime = 30 * time.Second
	startTime  = 5 * time.Minute
)

// within calls f with a context that ends after limit; f's failure then wraps runner.ErrUnavailable.
func within(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := f(limited)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		return fmt.Errorf("%w: no answer within %s: %w", runner.ErrUnavailable, limit, err)
	}
	return err
}

// How long, and how often, an unreachable engine is asked again.
const (
	patience   = 30 * time.Second
	firstPause = 100 * time.Millisecond
	lastPause  = 2 * time.Second
)

// again calls f, giving it limit each time, until it fails with something else than that the engine is away, patience is over, or
// ctx ends; then the last error stands.
func again(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	pause := firstPause
	for deadline := time.Now().Add(patience); ; pause = min(2*pause, lastPause) {
		err := within(ctx, limit, f)
		if !isUnavailable(err) || time.Now().After(deadline) || untilStayed(ctx, pause) != nil {
			return err
		}
	}
}

func (p patient) Start(ctx context.Context, spec runner.Spec) (started []runner.Instance, err error) {
	err = within(ctx, startTime, func(ctx context.Context) error { started, err = p.Engine.Start(ctx, spec); return err })
	return started, err
}

func (p patient) Keep(ctx context.Context, sel runner.Selector) error {
	return again(ctx, answerTime, func(ctx context.Context) error { return p.Engine.Keep(ctx, sel) })
}

func (p patient) List(ctx context.Context, sel runner.Selector) (instances []runner.Instance, err error) {
	err = again(ctx, answerTime, func(ctx context.Context) error { instances, err = p.Engine.List(ctx, sel); return err })
	return instances, err
}

func (p patient) Groups(ctx context.Context) (groups []runner.Group, err error) {
	err = again(ctx, answerTime, func(ctx context.Context) error { groups, err = p.Engine.Groups(ctx); return err })
	return groups, err
}

func (p patient) Remove(ctx context.Context, sel runner.Selector, grace time.Duration) error {
	return again(ctx, grace+answerTime, func(ctx context.Context) error { return p.Engine.Remove(ctx, sel, grace) })
}

func (p patient) RemoveInstance(ctx context.Context, id string, grace time.Duration) error {
	return again(ctx, grace+answerTime, func(ctx context.Context) error { return p.Engine.RemoveInstance(ctx, id, grace) })
}
