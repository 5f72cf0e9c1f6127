package docker

import (
	"context"
	"sync"
)

// Join returns the name of the app's network, which it makes if need be, for a container that somebody else makes:
// that of a build. It is fenced in as the app's own containers are. The network stays until leave is called, which
// is to be when that container is gone, and may be again when it has failed.
func (e *Engine) Join(ctx context.Context, app string) (network string, leave func(context.Context) error, err error) {
	network, release, err := e.networks.lease(ctx, app)
	if err != nil {
		return "", nil, err
	}
	release = sync.OnceFunc(release)
	return network, func(ctx context.Context) error {
		release()
		return e.networks.drop(ctx, app)
	}, nil
}
