package enginetest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"boathook/runner"
)

func (f *fixture) logs(t *testing.T, id string, opt runner.LogOptions) string {
	t.Helper()
	var out buffer
	if err := f.engine.Logs(f.ctx, id, opt, &out); err != nil {
		t.Fatalf("logs: %v", err)
	}
	return out.String()
}

func testLogs(t *testing.T, f *fixture) {
	i := f.start(t, f.spec("web", "for i in {1..4}; do echo line $i; done"))[0]
	failing := f.start(t, f.spec("worker", "echo oops >&2; exit 1"))[0]
	f.exited(t, i.ID)
	f.exited(t, failing.ID)
	for _, tt := range []struct {
		id   string
		opt  runner.LogOptions
		want string
	}{
		{i.ID, runner.LogOptions{}, "line 1\nline 2\nline 3\nline 4\n"},
		{i.ID, runner.LogOptions{Tail: 2}, "line 3\nline 4\n"},
		{i.ID, runner.LogOptions{Tail: 100}, "line 1\nline 2\nline 3\nline 4\n"},
		{i.ID, runner.LogOptions{Follow: true}, "line 1\nline 2\nline 3\nline 4\n"},
		{failing.ID, runner.LogOptions{}, "oops\n"},
	} {
		if got := f.logs(t, tt.id, tt.opt); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.opt, got, tt.want)
		}
	}
}

func testLogsFollow(t *testing.T, f *fixture) {
	t.Run("until the instance ends", func(t *testing.T) {
		i := f.start(t, f.spec("web", "echo before; trap 'echo after; exit' TERM; "+forever))[0]
		out, done := f.follow(i.ID)
		f.eventually(t, "first line", out.has("before\n"))
		if err := f.engine.RemoveInstance(f.ctx, i.ID, patience); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		// Bash may tell of its killed sleep in between.
		if got := out.String(); !strings.HasPrefix(got, "before\n") || !strings.Contains(got, "\nafter\n") {
			t.Errorf("followed %q", got)
		}
	})
	t.Run("until ctx ends", func(t *testing.T) {
		i := f.start(t, f.spec("worker", "echo before; exec sleep 300"))[0]
		ctx, cancel := context.WithCancel(f.ctx)
		defer cancel()
		var out buffer
		done := make(chan error, 1)
		go func() { done <- f.engine.Logs(ctx, i.ID, runner.LogOptions{Follow: true}, &out) }()
		f.eventually(t, "first line", out.has("before\n"))
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want one that wraps context.Canceled", err)
		}
	})
}

func testLogsMissing(t *testing.T, f *fixture) {
	err := f.engine.Logs(f.ctx, "0123456789ab", runner.LogOptions{}, &buffer{})
	if !errors.Is(err, runner.ErrNotFound) {
		t.Errorf("error %v, want one that wraps ErrNotFound", err)
	}
}
