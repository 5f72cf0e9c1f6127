package router

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// target is a container, the connections to it, and how it fares.
type target struct {
	Target
	app       string
	id        string          // in the sticky cookie: the same for the container of this name in the next version
	transport *http.Transport // to the container, for HTTP/2
	pool      pool            // and for HTTP/1.1

	waiting  atomic.Int64 // requests without an answer yet, the queue
	slow     atomic.Int64 // those whose body came in meanwhile, or still does: they have a queue of their own, so that slow clients do not fill the other
	inflight atomic.Int64 // all requests, upgraded connections included

	retired atomic.Bool   // not in the table any more
	idle    chan struct{} // closed once retired and inflight is 0
	once    sync.Once     // closes idle

	severed context.Context // ends when requests still in flight are to be cut off
	sever   context.CancelFunc

	health   atomic.Int32 // a health
	failures atomic.Int32 // quarantines without an answer in between; decides the pause before the first probe
}

// health is how a target fares. All but the healthy are in quarantine.
type health int32

const (
	healthy     health = iota
	dropping           // accepts connections and has lost one
	unreachable        // accepts none
)

func (t *target) quarantined() bool { return health(t.health.Load()) != healthy }

// idleUpstream is how long an unused connection to a container is kept. Shorter than the keep-alive time of common
// application servers (node: 5 s), so that it is rarely the container that closes it, just as a request is sent.
const idleUpstream = 4 * time.Second

func (r *Router) newTarget(app string, to Target) *target {
	t := &target{Target: to, app: app, id: targetID(app, to.Name), idle: make(chan struct{})}
	t.severed, t.sever = context.WithCancel(context.Background())
	t.transport = &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			c, err := r.dial(ctx, addr)
			if err != nil {
				return nil, err
			}
			return &wary{Conn: c}, nil
		},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        idleUpstream,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
	return t
}

// targetID does not tell visitors how containers are called.
func targetID(app, name string) string {
	sum := sha256.Sum256([]byte(app + "/" + name))
	return hex.EncodeToString(sum[:8])
}

// usable tells whether the target may have a turn where it must not fare worse.
func (t *target) usable(worst health, skip []*target) bool {
	return health(t.health.Load()) <= worst && !slices.Contains(skip, t)
}

// queue counts the requests that wait for an answer, of those with a slow body or of the others.
func (t *target) queue(slow bool) *atomic.Int64 {
	if slow {
		return &t.slow
	}
	return &t.waiting
}

// dialError tells that no connection was made: nothing of the request has reached the container.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// take counts a request, unless most requests of its kind wait already.
func (t *target) take(most int, slow bool) bool {
	if queue := t.queue(slow); queue.Add(1) > int64(most) {
		queue.Add(-1)
		return false
	}
	t.inflight.Add(1)
	return true
}

// fine notes an answer. A quarantine ends by its probe alone: the answer may have been on its way before.
func (t *target) fine() { t.failures.Store(0) }

// release ends a request.
func (t *target) release() {
	if t.inflight.Add(-1) == 0 && t.retired.Load() {
		t.settle()
	}
}

// retire is called once t is in no table that acquire could still find current.
func (t *target) retire() {
	t.retired.Store(true)
	if t.inflight.Load() == 0 {
		t.settle()
	}
}

// settle is reached with no request in flight on a retired target. A late acquire may count it up for a moment, but gives it
// back unused.
func (t *target) settle() {
	t.once.Do(func() {
		t.transport.CloseIdleConnections() // and those that become idle from now on
		t.pool.close()
		close(t.idle)
	})
}

// firstProbe is the pause before the first probe. The container may have dropped just one request, so it is short; but a process that is being killed
// still accepts connections for a moment when those of its requests are gone already.
const firstProbe = 50 * time.Millisecond

// quarantine takes a target that refuses or drops connections out of the turn, until a probe connects.
func (r *Router) quarantine(t *target, cause error) {
	state := dropping
	if noConn := new(dialError); errors.As(cause, &noConn) {
		state = unreachable
	}
	if !t.health.CompareAndSwap(int32(healthy), int32(state)) {
		if state == unreachable {
			t.health.CompareAndSwap(int32(dropping), int32(unreachable)) // it is being probed
		}
		return
	}
	r.mu.Lock() // orders this after or before Close
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return
	}
	pause := min(firstProbe, r.cfg.Probe)
	if n := t.failures.Add(1); n > 1 {
		pause = r.cfg.Probe << min(n-2, 6)
	}
	r.cfg.Log.Warn("container in quarantine", "app", t.app, "container", t.Name, "err", cause)
	r.probes.Go(func() { r.probe(t, pause) })
}

// probe lets t back in when a connection can be made. It ends early when t is retired.
func (r *Router) probe(t *target, pause time.Duration) {
	for {
		select {
		case <-time.After(pause):
		case <-t.idle:
			return
		case <-r.ctx.Done():
			return
		}
		ctx, cancel := context.WithTimeout(r.ctx, dialTimeout)
		conn, err := r.cfg.Dial(ctx, "tcp", t.Addr)
		cancel()
		if err == nil {
			_ = conn.Close() // nothing was sent
			t.health.Store(int32(healthy))
			r.cfg.Log.Info("container out of quarantine", "app", t.app, "container", t.Name)
			return
		}
		pause = min(max(2*pause, r.cfg.Probe), 64*r.cfg.Probe)
	}
}
