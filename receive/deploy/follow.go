package deploy

import (
	"context"
	"io"
	"time"
)

// followEvery is how often the log of a deployment is looked at; the console stores it about as often.
const followEvery = 200 * time.Millisecond

// FollowDeployment implements apps.Runtime: the log from its beginning, and then as it comes, until the deployment has ended.
func (d *Deployer) FollowDeployment(ctx context.Context, id int64, w io.Writer) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for seen, begun := int64(0), false; ; {
		ended := d.attempts.ended(id) // asked for before the log is read, which is whole if there is nothing to wait for
		var err error
		if seen, err = d.Store.WriteLog(ctx, id, seen, w); err == nil && ended == nil && !begun {
			begun, err = d.finished(ctx, id)
		}
		switch {
		case err != nil && ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil || ended == nil && begun:
			return err
		}
		begun = begun || ended != nil
		select {
		case <-ended:
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// finished tells a deployment that has ended from one that has only just been recorded, and is not under way yet.
func (d *Deployer) finished(ctx context.Context, id int64) (bool, error) {
	record, err := d.Store.Deployment(ctx, id)
	return record.Status.Finished(), err
}

// CancelDeployment implements apps.Runtime. It returns when the deployment has ended and what it made is gone.
func (d *Deployer) CancelDeployment(ctx context.Context, app string, id int64, by string) error {
	one, err := d.attempts.cancel(app, id, by)
	if err != nil {
		return err
	}
	select {
	case <-one.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
