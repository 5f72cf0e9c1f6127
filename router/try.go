package router

import (
	"errors"
	"time"
)

// ask sends p.out, the request, to containers in turn until one begins to answer. A connection that was used before and proves dead
// is replaced by a new one if the request may be repeated, or nothing of it was sent.
func (p *passage) ask(whole bool) *refusal {
	var repeat repeat
	for {
		if why := p.enter(dialing); why != nil && !p.spared() {
			return why
		}
		if !p.held {
			if why := p.borrow(); why != nil {
				return repeat.refusal(why)
			}
		}
		sent, err := p.askOnce(whole, repeat.fresh)
		if err == nil {
			return nil
		}
		if why := p.blameless(err); why != nil {
			return why
		}
		used := p.up != nil && p.up.used
		p.giveUp()
		if used && (sent == 0 || p.req.idempotent()) {
			repeat.fresh = err != errStale
			continue
		}
		p.router.quarantine(p.lease.target, err)
		if !repeat.elsewhere(err, p.req.idempotent()) {
			return p.dropped(err)
		}
		p.tried = append(p.tried, p.lease.target)
		p.giveBack()
	}
}

// spared tells whether the connection was cut off while its request, which is here now, seemed not to come: that is carried all the same, as the last one.
func (p *passage) spared() bool {
	if p.lease.target != nil || p.server.ended.Load() {
		return false
	}
	p.keep = false
	return p.SetReadDeadline(time.Time{}) == nil
}

// askOnce sends the request on one connection and waits for the first bytes of the answer.
func (p *passage) askOnce(whole, fresh bool) (sent int, err error) {
	u, err := p.router.lend(p.lease.target, p.conn, fresh)
	if err != nil {
		return 0, err
	}
	p.up = u
	p.peer.Store(u)
	if why := p.enter(waiting); why != nil {
		return 0, why
	}
	if whole {
		return u.ask(p.out, &p.back)
	}
	if u.used && peek(u.Conn) != quiet {
		return 0, errStale
	}
	if sent, err = u.Write(p.out); err != nil {
		return sent, err
	}
	p.upload = p.startUpload()
	return sent, u.fill(&p.back)
}

// blameless is the reason of a failure that lies not with the container.
func (p *passage) blameless(err error) *refusal {
	if why := p.verdict(); why != nil {
		return why
	}
	if why := new(refusal); errors.As(err, &why) {
		return why
	}
	if p.upload != nil {
		if why := p.upload.err.Load(); why != nil {
			return why
		}
	}
	switch {
	case p.server.ended.Load():
		return errGone
	case p.lease.severed.Err() != nil:
		return errSevered
	}
	return nil
}

// dropped refuses for a container that went away or spoke nonsense.
func (p *passage) dropped(err error) *refusal {
	p.router.cfg.Log.Info("request failed", "app", p.lease.live.route.App, "container", p.lease.Name, "request", string(p.req.id), "err", err)
	return errDropped
}

func (p *passage) borrow() *refusal {
	lease, err := p.router.acquire(&p.req.ask, p.tried)
	p.lease.live = lease.live
	if err != nil {
		return err
	}
	p.lease, p.held, p.queued = lease, true, true
	return nil
}

// giveBack ends what borrow began. The lease stays for the access log.
func (p *passage) giveBack() {
	p.giveUp()
	if p.held {
		p.held = false
		p.dequeue()
		p.lease.release()
	}
}

func (p *passage) dequeue() {
	if p.queued {
		p.queued = false
		p.lease.answered()
	}
}

// giveUp closes the connection to the container, if there is still one, and ends the sending of the body.
func (p *passage) giveUp() {
	if p.up != nil {
		_ = p.enter(settling) // the failure has its reason already
		p.peer.Store(nil)
		p.up.pool.drop(p.up)
		p.up = nil
	}
	p.stopUpload()
}
