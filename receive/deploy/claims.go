package deploy

import (
	"context"
	"sync"
)

// claims let one at a time change the containers of an app's live release: the switch, a scaling, the destruction of the app, or
// the reconciler. A deployment claims its app for the switch only, so that the old version is kept alive while it goes on.
type claims struct {
	mu    sync.Mutex // guards taken
	taken map[string]*claim
}

type claim struct {
	purpose string
	given   chan struct{} // closed when the claim has ended
}

func newClaims() *claims { return &claims{taken: map[string]*claim{}} }

// take waits for the app until ctx ends. give must be called once.
func (c *claims) take(ctx context.Context, app, purpose string) (give func(), err error) {
	for {
		give, other := c.try(app, purpose)
		if other == nil {
			return give, nil
		}
		select {
		case <-other.given:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// try takes the app, or returns the claim that it is under.
func (c *claims) try(app, purpose string) (give func(), other *claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if other := c.taken[app]; other != nil {
		return nil, other
	}
	mine := &claim{purpose: purpose, given: make(chan struct{})}
	c.taken[app] = mine
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.taken, app)
		close(mine.given)
	}, nil
}

// purpose is what the app is claimed for, "" if it is not.
func (c *claims) purpose(app string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if claim := c.taken[app]; claim != nil {
		return claim.purpose
	}
	return ""
}
