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
		{failing.ID, runner.LogOptions{}, "oops\n"},
	} {
		if got := f.logs(t, tt.id, tt.opt); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.opt, got, tt.want)
		}
	}
}

func testLines(t *testing.T, f *fixture) {
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
		go func() { done <- f.engine.Lines(ctx, i.ID, "", out.line) }()
		f.eventually(t, "first line", out.has("before\n"))
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want one that wraps context.Canceled", err)
		}
	})
}

// testLinesAgain stops after every line and goes on from its mark: nothing is lost, nothing comes twice, an empty line and a broken
// long one included.
func testLinesAgain(t *testing.T, f *fixture) {
	i := f.start(t, f.spec("web", "for i in {1..20}; do echo line $i; done; echo oops >&2; echo; printf '%040000d\\n' 7; echo end"))[0]
	f.exited(t, i.ID)
	var got strings.Builder
	enough := errors.New("enough")
	for mark, more := "", true; more; {
		more = false
		err := f.engine.Lines(f.ctx, i.ID, mark, func(l runner.Line) error {
			if len(l.Text) > 16<<10 || l.At.IsZero() || strings.Contains(l.Mark, " ") {
				t.Errorf("line of %d bytes at %v, mark %q", len(l.Text), l.At, l.Mark)
			}
			got.Write(l.Text)
			got.WriteByte('|')
			mark, more = l.Mark, true
			return enough
		})
		if err != nil && !errors.Is(err, enough) {
			t.Fatal(err)
		}
	}
	text := strings.ReplaceAll(got.String(), "oops|", "") // the engine may order the two outputs as it likes
	if !strings.HasPrefix(text, "line 1|line 2|line 3|") || !strings.Contains(text, "|line 20||0") || !strings.HasSuffix(text, "7|end|") ||
		strings.Count(got.String(), "oops|") != 1 || strings.Count(text, "0") != 40001 {
		t.Errorf("got %.300q … of %d bytes", text, len(text))
	}
}

func testLogsMissing(t *testing.T, f *fixture) {
	err := f.engine.Logs(f.ctx, "0123456789ab", runner.LogOptions{}, &buffer{})
	if !errors.Is(err, runner.ErrNotFound) {
		t.Errorf("error %v, want one that wraps ErrNotFound", err)
	}
	err = f.engine.Lines(f.ctx, "0123456789ab", "", func(runner.Line) error { return nil })
	if !errors.Is(err, runner.ErrNotFound) {
		t.Errorf("error %v, want one that wraps ErrNotFound", err)
	}
}
