package local

import (
	"context"
	"fmt"

	"boathook/runner"
)

// Stats is described by [runner.Engine]. No limit is enforced, so there is none to tell.
func (e *Engine) Stats(ctx context.Context, id string) (runner.Usage, error) {
	end, err := e.begin(ctx)
	if err != nil {
		return runner.Usage{}, err
	}
	defer end()
	p, err := e.runningProcess(id)
	if err != nil {
		return runner.Usage{}, err
	}
	used, err := usage(strays(p.pid, p.marks))
	if err != nil {
		return runner.Usage{}, fmt.Errorf("stats of %s: %w", id, err)
	}
	return used, nil
}
