package deploy

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"boathook/receive/state"
	"boathook/runner"
)

func (p *puppet) Signal(_ context.Context, id, signal string) error {
	p.mu.Lock()
	i := p.instances[id]
	p.mu.Unlock()
	if i == nil {
		return runner.ErrNotFound
	}
	p.event("%s to %s of %s", signal, i.Name(), i.Release)
	return p.failure(signal)
}

// TestSignal sends signals to containers by name and by type, of the live release alone.
func TestSignal(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		ctx := t.Context()
		_, err := s.store.CreateApp(ctx, "new-app", "alice")
		check(t, err)
		if _, err := s.d.Signal(ctx, "new-app", "USR1", []string{"web"}); err == nil || !strings.Contains(err.Error(), "new-app has no running container: 'ps new-app' shows") {
			t.Errorf("before the first release: %v", err)
		}
		_, err = s.deploy(ctx, map[string]string{"web": "listen", "worker": "stay"})
		check(t, err)
		check(t, s.d.Scale(ctx, "my-app", to(state.ProcessType{Name: "web", Amount: 2, Size: "M"}, state.ProcessType{Name: "worker", Amount: 1, Size: "M"}), silent))
		_, err = s.engine.Start(ctx, runner.Spec{Group: runner.Group{App: "my-app", Release: "9", Type: "web"}, Argv: []string{"listen"}, Replicas: 1})
		check(t, err)
		for _, test := range []struct {
			to   string
			want []string
		}{
			{"web", []string{"web-1", "web-2"}},
			{"web-2", []string{"web-2"}},
			{"worker web-1 web-1", []string{"web-1", "worker-1"}},
		} {
			s.take()
			sent, err := s.d.Signal(ctx, "my-app", "USR1", strings.Fields(test.to))
			if err != nil || !slices.Equal(sent, test.want) {
				t.Errorf("%s: sent to %v, %v; want %v", test.to, sent, err, test.want)
			}
			var events []string
			for _, name := range test.want {
				events = append(events, "USR1 to "+name+" of 2")
			}
			if got := s.take(); !slices.Equal(got, events) {
				t.Errorf("%s: %v", test.to, got)
			}
		}
		s.take()
		if _, err := s.d.Signal(ctx, "my-app", "USR1", []string{"web", "clock"}); err == nil || !strings.Contains(err.Error(), `process type "clock": it has web-1, web-2, worker-1`) {
			t.Errorf("one that there is not: %v", err)
		}
		if got := s.take(); len(got) > 0 {
			t.Errorf("somebody got a signal of a refused command: %v", got)
		}
		s.engine.fail("USR1", errors.New("no"))
		if _, err := s.d.Signal(ctx, "my-app", "USR1", []string{"web"}); err == nil || err.Error() != "web-1 has not got USR1: no" {
			t.Errorf("an engine that refuses: %v", err)
		}
	})
}
