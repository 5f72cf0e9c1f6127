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
	ended := d.attempts.ended(id)
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for seen, over := int64(0), false; ; {
		var err error
		if seen, err = d.Store.WriteLog(ctx, id, seen, w); err != nil || over {
			return err
		}
		select {
		case <-ended:
			over = true
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
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
		return ctx.Err()
	}
}
