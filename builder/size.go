package builder

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/docker/go-units"
)

// sizeEvery is how often a sandbox's size is asked for, and sizeFactor how many times the largest image it may have: what a build
// makes on the way, and .slugignore removes in the end, is no part of the image.
const (
	sizeEvery  = 3 * time.Second
	sizeFactor = 2
)

// withSize ends ctx, with a *Failure as its cause, when the sandbox has grown too large. Volumes are not counted. rest ends the watch
// and waits for it.
func (b *Build) withSize(parent context.Context, sb sandbox) (ctx context.Context, rest func()) {
	ctx, cancel := context.WithCancelCause(parent)
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(sizeEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			// A size that cannot be told now is told the next time; the image's is checked in any case.
			if size, err := sb.size(ctx); err == nil && size > sizeFactor*b.cfg.Limits.ImageSize {
				cancel(&Failure{Summary: fmt.Sprintf("The build has written %s, with an image limited to %s: let it write less",
					units.BytesSize(float64(size)), units.BytesSize(float64(b.cfg.Limits.ImageSize)))})
				return
			}
		}
	})
	return ctx, func() {
		cancel(nil)
		watching.Wait()
	}
}
