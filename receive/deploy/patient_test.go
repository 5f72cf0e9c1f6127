package deploy

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"boathook/runner"
)

// away is an engine that answers Groups only after some calls.
type away struct {
	runner.Engine
	calls, failures int
	err             error
}

func (a *away) Groups(context.Context) ([]runner.Group, error) {
	if a.calls++; a.calls <= a.failures {
		return nil, a.err
	}
	return []runner.Group{{App: "my-app"}}, nil
}

func TestAnUnreachableEngineIsAskedAgain(t *testing.T) {
	unavailable := fmt.Errorf("dial: %w", runner.ErrUnavailable)
	other := errors.New("no such thing")
	for _, test := range []struct {
		name      string
		engine    *away
		cancelled bool
		calls     int // at least
		want      error
	}{
		{name: "back after three calls", engine: &away{failures: 3, err: unavailable}, calls: 4},
		{name: "an answer is an answer", engine: &away{failures: 3, err: other}, calls: 1, want: other},
		{name: "never back", engine: &away{failures: 1 << 30, err: unavailable}, calls: 10, want: runner.ErrUnavailable},
		{name: "nobody waits", engine: &away{failures: 3, err: unavailable}, cancelled: true, calls: 1, want: runner.ErrUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if test.cancelled {
					cancel()
				}
				groups, err := patient{test.engine}.Groups(ctx)
				if !errors.Is(err, test.want) || (err == nil) != (len(groups) == 1) {
					t.Errorf("got %v, %v", groups, err)
				}
				if test.engine.calls < test.calls || test.want == other && test.engine.calls > 1 {
					t.Errorf("the engine was asked %d times", test.engine.calls)
				}
			})
		})
	}
}

// stuck is an engine that takes requests and never answers.
type stuck struct{ runner.Engine }

func (stuck) List(ctx context.Context, _ runner.Selector) ([]runner.Instance, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (stuck) Start(ctx context.Context, _ runner.Spec) ([]runner.Instance, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAnEngineThatHangsIsUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if _, err := (patient{stuck{}}).List(t.Context(), runner.Selector{}); !errors.Is(err, runner.ErrUnavailable) {
			t.Errorf("list: %v", err)
		}
		if _, err := (patient{stuck{}}).Start(t.Context(), runner.Spec{}); !errors.Is(err, runner.ErrUnavailable) {
			t.Errorf("start: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := (patient{stuck{}}).Start(ctx, runner.Spec{}); errors.Is(err, runner.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled start: %v", err)
		}
	})
}
