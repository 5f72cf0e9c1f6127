package builder

import (
	"context"
	"fmt"
)

// appNetwork is the Config.Network that stands for the app's own.
const appNetwork = "app"

// join returns the engine's network for a container that builds the app, and a function to be called when it is
// gone, and again if that has failed.
func (b *Build) join(ctx context.Context, app string) (network string, leave func(context.Context) error, err error) {
	if b.cfg.Join == nil || b.cfg.Network != "" && b.cfg.Network != appNetwork {
		return b.cfg.Network, func(context.Context) error { return nil }, nil
	}
	network, leave, err = b.cfg.Join(ctx, app)
	if err != nil {
		return "", nil, fmt.Errorf("network of the build: %w", err)
	}
	return network, leave, nil
}
