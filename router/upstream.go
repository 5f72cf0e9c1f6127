package router

import (
	"context"
	"net"
	"sync"
	"time"
)

// upstream is a connection of the fast path to a container.
type upstream struct {
	net.Conn
	*socket
	pool   *pool
	used   bool // it has carried a request before
	client *conn
	epoch  int // of the pool, when it became idle
}

// pool holds the fast path's connections to a container.
type pool struct {
	mu     sync.Mutex
	all    map[*upstream]bool
	idle   []*upstream // the one used last comes last
	epoch  int         // grows by one every half of idleUpstream while there are idle ones
	aging  *time.Timer // runs while there are idle ones
	closed bool        // nothing stays idle any more
	broken bool        // nothing is lent any more
}

// maxIdle is how many unused connections to a container are kept.
const maxIdle = 1024

// take returns an idle connection, nil if there is none. The error is errSevered.
func (p *pool) take(client *conn) (*upstream, *refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken {
		return nil, errSevered
	}
	n := len(p.idle)
	if n == 0 {
		return nil, nil
	}
	u := p.idle[n-1]
	p.idle[n-1] = nil
	p.idle = p.idle[:n-1]
	u.client = client
	return u, nil
}

// open makes a connection with dial.
func (p *pool) open(client *conn, dial func() (net.Conn, error)) (*upstream, error) {
	c, err := dial()
	if err != nil {
		return nil, err
	}
	u := &upstream{Conn: c, socket: newSocket(c), pool: p, client: client}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken {
		_ = c.Close()
		return nil, errSevered
	}
	if p.all == nil {
		p.all = make(map[*upstream]bool)
	}
	p.all[u] = true
	return u, nil
}

// put takes a connection back that can carry another request.
func (p *pool) put(u *upstream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u.client, u.used = nil, true
	if p.closed || p.broken || len(p.idle) >= maxIdle {
		p.discard(u)
		return
	}
	u.epoch = p.epoch
	p.idle = append(p.idle, u)
	if p.aging == nil {
		p.aging = time.AfterFunc(idleUpstream/2, p.age)
	}
}

// drop closes a connection that was taken or opened.
func (p *pool) drop(u *upstream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.discard(u)
}

func (p *pool) discard(u *upstream) {
	delete(p.all, u)
	_ = u.Close()
}

// age closes what has been idle for one to two epochs.
func (p *pool) age() {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for n < len(p.idle) && p.idle[n].epoch < p.epoch {
		p.discard(p.idle[n])
		n++
	}
	p.idle = append(p.idle[:0], p.idle[n:]...)
	p.epoch++
	p.aging = nil
	if len(p.idle) > 0 {
		p.aging = time.AfterFunc(idleUpstream/2, p.age)
	}
}

// close closes the idle connections, and those that are lent when they come back.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, u := range p.idle {
		p.discard(u)
	}
	p.idle = nil
	if p.aging != nil {
		p.aging.Stop()
	}
}

// sever cuts the requests off that are under way.
func (p *pool) sever() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = true
	for u := range p.all {
		_ = u.Close()
		if u.client != nil {
			u.client.cutOff(errSevered)
		}
	}
}

// lend returns a connection to t for client: one that is idle, or with fresh a new one in any case. The error of a connection that could not be made
// is a *dialError.
func (r *Router) lend(t *target, client *conn, fresh bool) (*upstream, error) {
	if !fresh {
		if u, err := t.pool.take(client); err != nil {
			return nil, err
		} else if u != nil {
			return u, nil
		}
	}
	return t.pool.open(client, func() (net.Conn, error) { return r.dial(t.severed, t.Addr) })
}

func (r *Router) dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := r.cfg.Dial(ctx, "tcp", addr)
	if err != nil {
		return nil, &dialError{err}
	}
	return c, nil
}
