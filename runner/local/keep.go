package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"boathook/runner"
)

// Keep is described by [runner.Engine]. The restarts are this process's work: while no boathook runs nothing is
// restarted; the next one does it then. One-offs are not kept.
func (e *Engine) Keep(ctx context.Context, sel runner.Selector) error {
	end, err := e.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	for _, i := range e.selected(sel) {
		if closed(i.done) || i.rec.OneOff {
			continue
		}
		err = errors.Join(err, e.change(i, func(r *record) {
			if r.Phase != runner.Exited && !closed(i.stopped) {
				r.Keep = true
			}
		}))
	}
	if err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	return nil
}

// watchOver waits for p (nil: none) in the background, and restarts the instance as long as it is kept.
func (e *Engine) watchOver(i *instance, p *process) {
	e.wg.Go(func() {
		defer close(i.done)
		for delay := e.cfg.Backoff; ; {
			begun := time.Now()
			if p != nil {
				code, ok := p.wait(e.ctx)
				if !ok {
					return
				}
				e.exited(i, code)
			}
			if time.Since(begun) >= e.cfg.Settled {
				delay = e.cfg.Backoff
			}
			if !e.pause(i, delay) {
				return
			}
			delay = min(2*delay, e.cfg.MaxBackoff)
			p = e.relaunch(i)
		}
	})
}

// pause waits before a restart. It returns false, at once, if there shall be none.
func (e *Engine) pause(i *instance, delay time.Duration) bool {
	e.mu.Lock()
	keep := i.rec.Keep
	e.mu.Unlock()
	if !keep {
		return false
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-i.stopped:
		return false
	case <-e.ctx.Done():
		return false
	}
}

// relaunch starts the instance again; nil if that did not work this time.
func (e *Engine) relaunch(i *instance) *process {
	p, err := e.launch(i, nil)
	if err != nil {
		e.cfg.Log.Error("instance not restarted", "app", i.rec.App, "instance", i.rec.ID, "err", err)
	}
	return p
}
