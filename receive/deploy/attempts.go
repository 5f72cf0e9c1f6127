package deploy

import (
	"context"
	"fmt"
	"sync"

	"boathook/receive/state"
)

// attempts are the deployments of this process from their record to their end, those that wait for their turn included.
type attempts struct {
	mu  sync.Mutex // guards all, and settled of each
	all map[int64]*attempt
}

// attempt is a deployment that may be cancelled until it is settled.
type attempt struct {
	app     string
	cancel  context.CancelCauseFunc
	settled bool          // the switch has begun
	ended   chan struct{} // closed when the deployment has ended and its log is stored
}

// begin counts a deployment in. Its context ends when it is cancelled, with a *Failure as the cause; end counts it out.
func (a *attempts) begin(ctx context.Context, d state.Deployment) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	one := &attempt{app: d.App, cancel: cancel, ended: make(chan struct{})}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = map[int64]*attempt{}
	}
	a.all[d.ID] = one
	return ctx, func() {
		cancel(nil)
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.all, d.ID)
		close(one.ended)
	}
}

// settle is the last moment at which the deployment's context ends: with nil the switch begins, and nothing stops it any more.
func (a *attempts) settle(ctx context.Context, id int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	a.all[id].settled = true
	return nil
}

// cancel ends a deployment; id 0 is the one of the app that began first. It does not wait for the end.
func (a *attempts) cancel(app string, id int64, by string) (*attempt, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id, one := a.find(app, id)
	switch {
	case one == nil && id != 0:
		return nil, fmt.Errorf("deployment %d of %s is not under way: 'deployments %s' tells how it ended", id, app, app)
	case one == nil:
		return nil, fmt.Errorf("no deployment of %s is under way: 'deployments %s' lists those that were", app, app)
	case one.settled:
		return nil, fmt.Errorf("deployment %d of %s is going live already: 'rollback %s' brings the version before back", id, app, app)
	}
	one.cancel(&Failure{Status: state.Aborted, Text: fmt.Sprintf("Deployment %d was cancelled by %s", id, by)})
	return one, nil
}

// find returns an app's attempt, without id the oldest; nil if there is none. a.mu is held.
func (a *attempts) find(app string, id int64) (int64, *attempt) {
	if id != 0 {
		if one := a.all[id]; one != nil && one.app == app {
			return id, one
		}
		return id, nil
	}
	for other, one := range a.all {
		if one.app == app && (id == 0 || other < id) {
			id = other
		}
	}
	return id, a.all[id]
}

// ended is closed once the deployment has ended; nil if it is not under way.
func (a *attempts) ended(id int64) <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if one := a.all[id]; one != nil {
		return one.ended
	}
	return nil
}

// empty tells that none is under way.
func (a *attempts) empty() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.all) == 0
}
