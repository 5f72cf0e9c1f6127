package deploy

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"boathook/receive/apps"
	"boathook/runner"
)

// Stats: a web container takes a quarter of a processor, any other has ended.
func (p *puppet) Stats(_ context.Context, id string) (runner.Usage, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.instances[id]
	if i == nil || i.Type != web {
		return runner.Usage{}, runner.ErrNotFound
	}
	return runner.Usage{CPU: time.Since(i.Started) / 4, Memory: 1 << 20, Limit: 512 << 20}, nil
}

func TestStats(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		ctx := t.Context()
		_, err := s.store.CreateApp(ctx, "new-app", "alice")
		check(t, err)
		if all, err := s.d.Stats(ctx, "new-app"); err != nil || len(all) > 0 {
			t.Errorf("before the first release: %v, %v", all, err)
		}
		_, err = s.deploy(ctx, map[string]string{"web": "listen", "worker": "stay"})
		check(t, err)
		all, err := s.d.Stats(ctx, "my-app")
		check(t, err)
		if diff := cmp.Diff([]apps.Usage{{Name: "web-1", CPU: 25, Memory: 1 << 20, Limit: 512 << 20}}, all); diff != "" {
			t.Error(diff)
		}
	})
}
