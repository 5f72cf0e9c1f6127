package router

import (
	"context"
	"sync"
	"time"
)

// patrol looks after the connections of a Server, all of them in one round now and then: it ends what has not moved for too long, and the requests of
// clients that have gone away.
type patrol struct {
	limits [cut]time.Duration // per phase; 0 for those that are bounded by themselves
	body   time.Duration      // limit of waiting while a body is sent

	round []*conn // under way; only the patrol's goroutine touches it

	mu       sync.Mutex
	conns    map[*conn]struct{}
	expelled bool
}

// watched is what the patrol remembers of a connection. Only the patrol's goroutine touches it.
type watched struct {
	seen      uint64 // state
	seenMoved uint32
	since     time.Time // nothing has moved
	bytes     uint64    // that the kernel had moved then
}

func newPatrol(cfg Config) *patrol {
	p := &patrol{body: cfg.Idle, conns: make(map[*conn]struct{})}
	p.limits[idle], p.limits[heading], p.limits[receipt] = cfg.KeepAlive, cfg.Header, cfg.Idle
	p.limits[waiting], p.limits[answer], p.limits[tunnel] = cfg.FirstByte, cfg.Idle, cfg.Idle
	return p
}

// pause is the time between two rounds: short for those who wait for nothing, and against the shortest limit.
func (p *patrol) pause() time.Duration {
	shortest := min(p.limits[idle], p.limits[heading], p.limits[waiting], p.limits[answer])
	return max(min(shortest/8, 250*time.Millisecond), 2*time.Millisecond)
}

// walk goes round until ctx ends.
func (p *patrol) walk(ctx context.Context) {
	tick := time.NewTicker(p.pause())
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			p.goRound(now)
		}
	}
}

func (p *patrol) goRound(now time.Time) {
	p.mu.Lock()
	for c := range p.conns {
		p.round = append(p.round, c)
	}
	p.mu.Unlock()
	for _, c := range p.round {
		p.look(c, now)
	}
	clear(p.round)
	p.round = p.round[:0]
}

// look sees whether c has moved since the last time.
func (p *patrol) look(c *conn, now time.Time) {
	sending := c.sending.Load() // before moved: that it has ended is a movement
	state, moved := c.state.Load(), c.moved.Load()
	if state != c.seen || moved != c.seenMoved || c.since.IsZero() {
		c.seen, c.seenMoved, c.since, c.bytes = state, moved, now, 0
		return
	}
	doing := phaseOf(state)
	if doing == cut || p.limits[doing] == 0 {
		return
	}
	limit, thinking := p.limits[doing], doing == waiting && sending == nil
	if doing == waiting && sending != nil {
		limit = p.body
	}
	streams := doing >= waiting && !thinking
	switch {
	case thinking && c.gone():
		c.cutIf(state, errGone)
	case streams && c.bytes == 0:
		c.bytes = c.transferred()
	case doing == answer && c.gone():
		if n := c.transferred(); n != c.bytes { // it may have ended its half of the connection only
			c.bytes, c.since = n, now
		} else {
			c.cutIf(state, errGone)
		}
	case now.Sub(c.since) < limit:
	case streams && c.bytes != c.transferred():
		c.bytes, c.since = c.transferred(), now
	default:
		c.cutIf(state, c.stillness(doing, sending))
	}
}

// gone tells whether the client has closed its connection, or its half of it, which is taken for the same as long as nothing moves: as with net/http and
// nginx, a client that wants an answer keeps its half open. What lies before the end may be the next request, or with TLS
// the announcement of the end.
func (c *conn) gone() bool {
	return peek(c.plain) == ended || c.secure && hungUp(c.plain)
}

// stillness is what to say of a connection on which nothing moves.
func (c *conn) stillness(doing phase, sending *sending) *refusal {
	switch {
	case doing == waiting && sending != nil:
		return sending.blame(c)
	case doing == waiting:
		return errFirstByte
	case doing == answer || doing == tunnel:
		return errIdle
	}
	return errSlowClient
}

// transferred counts the bytes that the kernel has moved for the client's connection and the container's, or at least one: what splice moves shows
// nowhere else.
func (c *conn) transferred() uint64 {
	n := 1 + kernelBytes(c.plain)
	if up := c.peer.Load(); up != nil {
		n += kernelBytes(up.Conn)
	}
	return n
}

// add begins to watch a connection; after expel it is closed.
func (p *patrol) add(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.expelled {
		c.close()
		return
	}
	p.conns[c] = struct{}{}
}

func (p *patrol) remove(c *conn) {
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

// dismiss ends the connections that carry no request, and returns how many are left, upgraded ones not counted: those that do, and those that have just
// been ended, where a request may have come at the same time, see passage.spared. Unless all is true, those whose first request may be on its way stay.
func (p *patrol) dismiss(all bool) (busy int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		switch state := c.state.Load(); phaseOf(state) {
		case tunnel:
			continue
		case idle:
			c.cutIf(state, errGone)
		case heading:
			if all {
				c.cutIf(state, errGone)
			}
		}
		busy++
	}
	return busy
}

// expel closes all connections, and those that are added later.
func (p *patrol) expel() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expelled = true
	for c := range p.conns {
		c.close()
	}
}
