package router

import (
	"context"
	"fmt"
	"slices"
)

// Drain covers targets that were taken out of the table: of a Router's own, and of those that follow a Feed.
type Drain struct {
	targets []*target
	errands []*errand
}

// retire drains the targets of old that next does not have. Either may be nil.
func retire(old, next *live) *Drain {
	d := &Drain{}
	if old == nil {
		return d
	}
	for _, t := range old.targets {
		if next == nil || !slices.Contains(next.targets, t) {
			d.targets = append(d.targets, t)
			t.retire()
		}
	}
	return d
}

// Swapped returns when no request is taken any more for the targets, which is at once but for those of a Feed's followers. If ctx ends before, it
// returns its error, and the feed goes on without who has not followed.
func (d *Drain) Swapped(ctx context.Context) (err error) {
	for _, e := range d.errands {
		select {
		case <-e.swapped:
		case <-ctx.Done():
			if e.giveUp() {
				err = ctx.Err()
			}
		}
	}
	return err
}

// Wait returns when no request is in flight on the targets, upgraded connections included, and idle connections to them
// are closed. If ctx ends before, it returns its error, and how many requests are left.
func (d *Drain) Wait(ctx context.Context) error {
	for _, idle := range d.ends() {
		select {
		case <-idle:
		case <-ctx.Done():
			return fmt.Errorf("%s still in flight: %w", d.left(), ctx.Err())
		}
	}
	return nil
}

// over tells whether Wait would return at once.
func (d *Drain) over() bool {
	for _, idle := range d.ends() {
		select {
		case <-idle:
		default:
			return false
		}
	}
	return true
}

// ends are closed one by one.
func (d *Drain) ends() (all []<-chan struct{}) {
	for _, t := range d.targets {
		all = append(all, t.idle)
	}
	for _, e := range d.errands {
		all = append(all, e.drained)
	}
	return all
}

// left says what is in flight. How many requests a follower has is known to that one only.
func (d *Drain) left() string {
	if len(d.errands) > 0 {
		return "requests"
	}
	return fmt.Sprintf("%d requests", d.InFlight())
}

// InFlight is the number of this process's requests that are not finished.
func (d *Drain) InFlight() int {
	n := int64(0)
	for _, t := range d.targets {
		n += t.inflight.Load()
	}
	return int(n)
}

// Close cuts off the requests that are still in flight. It does not wait for them; Wait does.
func (d *Drain) Close() {
	for _, t := range d.targets {
		t.sever()
		t.pool.sever()
	}
	for _, e := range d.errands {
		e.cut()
	}
}
