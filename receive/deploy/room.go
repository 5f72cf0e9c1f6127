package deploy

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/docker/go-units"

	"boathook/receive/state"
)

// roomEvery is how often the disks are looked at while a build or a hook runs.
const roomEvery = time.Second

// withRoom ends ctx, with a *Failure of that status as its cause, when half of Limits.DiskFree is left on a disk: a build or a hook
// that fills it must not take the running apps with it. Nobody can tell which of several deployments under way writes so much,
// so all of them end. rest ends the watch and waits for it.
func (r *deployment) withRoom(parent context.Context, status state.Status) (ctx context.Context, rest func()) {
	ctx, cancel := context.WithCancelCause(parent)
	var watching sync.WaitGroup
	watching.Go(func() {
		for untilStayed(ctx, roomEvery) == nil {
			for _, dir := range r.Disks {
				if free, err := r.free(dir); err == nil && free < r.Limits.DiskFree/2 {
					cancel(&Failure{
						Status: status, Text: fmt.Sprintf("The server's disk was filling up: only %s were left", units.BytesSize(float64(free))),
						Advice: "Push again with a build and a hook that write less, or ask the operator to make room.",
						Err:    fmt.Errorf("disk of %s", dir),
					})
					return
				}
			}
		}
	})
	return ctx, func() {
		cancel(nil)
		watching.Wait()
	}
}
