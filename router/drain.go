package router

import (
	"context"
	"fmt"
	"slices"
)

// Drain covers targets that were taken out of the table.
type Drain struct{ targets []*target }

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

// Wait returns when no request is in flight on the targets, upgraded connections included, and idle connections to them
// are closed. If ctx ends before, it returns its error, and how many requests are left.
func (d *Drain) Wait(ctx context.Context) error {
	for _, t := range d.targets {
		select {
		case <-t.idle:
		case <-ctx.Done():
			return fmt.Errorf("%d requests still in flight: %w", d.InFlight(), ctx.Err())
		}
	}
	return nil
}

// InFlight is the number of requests that are not finished.
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
}
