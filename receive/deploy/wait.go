package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"boathook/builder"
	"boathook/receive/state"
	"boathook/runner"
)

func isUnavailable(err error) bool {
	return errors.Is(err, runner.ErrUnavailable) || errors.Is(err, builder.ErrUnavailable)
}

// guard watches the containers of the formation, all of which are new: the returned context ends, with a *Failure as its cause, as soon as one
// of them exits or is gone. rest ends the watch and waits for it.
func (r *deployment) guard(parent context.Context) (ctx context.Context, rest func()) {
	return r.guardSome(parent, amounts(r.formation), func(i runner.Instance) bool { return r.scaled(i.Type) })
}

// guardSome is guard for those of the release's containers that are new, of which there are so many.
func (r *deployment) guardSome(parent context.Context, count int, isNew func(runner.Instance) bool) (ctx context.Context, rest func()) {
	ctx, cancel := context.WithCancelCause(parent)
	var watching sync.WaitGroup
	watching.Go(func() {
		selector := runner.Selector{App: r.app.Name, Release: r.id}
		snapshots, err := r.Engine.Watch(ctx, selector)
		if err != nil {
			cancel(fmt.Errorf("watch the containers: %w", err))
			return
		}
		for snapshot := range snapshots {
			present := slices.DeleteFunc(slices.Clone(snapshot), func(i runner.Instance) bool { return !isNew(i) })
			if failure := r.crashIn(parent, present, count); failure != nil {
				cancel(failure)
				return
			}
		}
	})
	return ctx, func() {
		cancel(nil)
		watching.Wait()
	}
}

// crashIn finds a new container that has ended, or that somebody has removed.
func (r *deployment) crashIn(ctx context.Context, present []runner.Instance, count int) *Failure {
	for _, i := range present {
		if i.Phase == runner.Exited {
			return r.crash(ctx, i)
		}
	}
	if len(present) < count {
		return &Failure{Status: state.CrashedError, Text: "A container of the new version was removed by somebody else"}
	}
	return nil
}

func (r *deployment) scaled(processType string) bool {
	for _, p := range r.formation {
		if p.Name == processType {
			return true
		}
	}
	return false
}

// lastLines is how much of a crashed container's output the pusher sees.
const lastLines = 50

// crash describes an early exit with the container's last output, which may go to anybody who works with the app.
func (r *deployment) crash(ctx context.Context, i runner.Instance) *Failure {
	failure := &Failure{Status: state.CrashedError, Text: "Your application has stopped unexpectedly" + outputFollows,
		Err: fmt.Errorf("%s ended with status %d", i.Name(), i.ExitCode)}
	if i.OOMKilled {
		failure.Advice = fmt.Sprintf("%s was out of memory: choose a larger size, e.g. scale %s:1:L", i.Name(), i.Type)
	}
	var output bytes.Buffer
	if err := r.Engine.Logs(ctx, i.ID, runner.LogOptions{Tail: lastLines}, &output); err != nil {
		r.Log.Warn("output of a crashed container not read", "deployment", r.id, "err", err)
	}
	if failure.Output = harmless(output.String(), r.vars); failure.Output == "" {
		failure.Output = fmt.Sprintf("(no output; %s ended with status %d)", i.Name(), i.ExitCode)
	}
	return failure
}

// wait returns when every web container accepts TCP and every other one has stayed up for the grace period.
func (r *deployment) wait(ctx context.Context) error {
	defer r.phase("wait")()
	instances, err := r.Engine.List(ctx, runner.Selector{App: r.app.Name, Release: r.id})
	if err != nil {
		return r.because(ctx, err)
	}
	return r.waitFor(ctx, instances)
}

// waitFor is wait for some containers. ctx is a guarded one.
func (r *deployment) waitFor(ctx context.Context, instances []runner.Instance) error {
	limited, cancel := context.WithTimeoutCause(ctx, r.Limits.Boot, errBoot)
	defer cancel()
	group, groupCtx := errgroup.WithContext(limited)
	for _, i := range instances {
		group.Go(func() error {
			if i.Type == web {
				return r.untilAccepting(groupCtx, i)
			}
			return untilStayed(groupCtx, r.Limits.Grace)
		})
	}
	err := group.Wait()
	if err != nil && errors.Is(context.Cause(limited), errBoot) {
		if failure := r.overlooked(context.WithoutCancel(ctx), instances); failure != nil {
			return failure
		}
	}
	return r.because(limited, err)
}

// overlooked is crashIn for containers of which the guard has said nothing yet: an engine that has much to do tells of an end late.
func (r *deployment) overlooked(ctx context.Context, instances []runner.Instance) *Failure {
	present, err := r.Engine.List(ctx, runner.Selector{App: r.app.Name, Release: r.id})
	if err != nil {
		return nil // the time-out is true in any case
	}
	present = slices.DeleteFunc(present, func(i runner.Instance) bool {
		return !slices.ContainsFunc(instances, func(one runner.Instance) bool { return one.ID == i.ID })
	})
	return r.crashIn(ctx, present, len(instances))
}

// errBoot is the cause of a context that ended by Limits.Boot.
var errBoot = errors.New("boot time-out")

// because names the reason why a step was cut short: a crash seen by the guard, a time-out, or err itself.
func (r *deployment) because(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	cause := context.Cause(ctx)
	var failure *Failure
	switch {
	case errors.As(cause, &failure):
		return failure
	case errors.Is(cause, errBoot):
		return &Failure{Status: state.TimeoutError, Err: err,
			Text:   fmt.Sprintf("Timeout: %s took more than %s to boot", r.app.Name, seconds(r.Limits.Boot)),
			Advice: "A web process has to listen on 0.0.0.0:$PORT."}
	}
	if cause != nil && !errors.Is(cause, context.Canceled) {
		return cause // the guard could not watch, for one
	}
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3g seconds", d.Seconds()) }

// dialFirst and dialLast are the pauses between two attempts, the first and, doubled each time, the longest: most programs listen a moment
// after their start, and a refused connection costs next to nothing.
const (
	dialFirst = time.Millisecond
	dialLast  = 16 * time.Millisecond
)

// untilAccepting dials the container until it accepts, asking anew for the address while it has none.
func (r *deployment) untilAccepting(ctx context.Context, i runner.Instance) error {
	dialer := net.Dialer{Timeout: time.Second}
	for pause := dialFirst; ; pause = min(2*pause, dialLast) {
		if i.Addr != "" {
			conn, err := dialer.DialContext(ctx, "tcp", i.Addr)
			if err == nil {
				return conn.Close()
			}
		} else if fresh, err := r.Engine.List(ctx, runner.Selector(i.Group)); err == nil {
			for _, f := range fresh {
				if f.ID == i.ID {
					i = f
				}
			}
		}
		if err := untilStayed(ctx, pause); err != nil {
			return err
		}
	}
}

// untilStayed waits for d unless ctx ends.
func untilStayed(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
