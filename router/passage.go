package router

import (
	"bytes"
	"compress/gzip"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// passage is one request on its way through the fast path. Its methods run on the connection's goroutine.
type passage struct {
	*conn
	router *Router
	req    request
	res    response
	back   buffer // received from the container and not used yet
	out    []byte // what is sent next
	start  time.Time
	ownID  [36]byte // req.id if the client has not given one

	lease  lease     // target is nil before the first acquire
	tried  []*target // that no connection could be made to
	held   bool      // lease is to be given back
	queued bool      // lease counts in its target's queue
	taken  bool      // the body is not in the connection's buffer any more
	up     *upstream // nil unless one is lent
	upload *sending  // nil unless the body is sent on another goroutine
	begun  bool      // something of the answer may have been sent to the client
	keep   bool      // another request may follow on the client's connection

	lingers bool // the client may still be sending, see conn.linger

	packer *gzip.Writer // to packed; nil unless the answer is packed on its way
	packed bytes.Buffer

	status  int      // of the answer
	sent    int64    // bytes of the answer's body
	refused *refusal // what was answered instead, for the access log
}

var passages = sync.Pool{New: func() any { return new(passage) }}

func newPassage(c *conn) *passage {
	p := passages.Get().(*passage)
	p.conn, p.router = c, c.server.router
	return p
}

// end gives back what the request has borrowed; the memory for the next one is kept.
func (p *passage) end() {
	p.giveBack()
	if p.packer != nil {
		p.router.packers.give(p.packer)
	}
	giveMemory(p.out)
	p.back.drop()
	p.in.tidy()
	if p.spare.len() > 0 {
		p.in.drop()
		p.in, p.spare = p.spare, buffer{}
	}
	p.spare.drop()
	p.req.reset()
	p.res.reset()
	*p = passage{req: p.req, res: p.res}
	passages.Put(p)
}

// run carries the request that has begun to come in. It returns whether another may follow.
func (p *passage) run() bool {
	why := p.receive()
	if p.start = time.Now(); why == nil {
		why = p.carry()
	}
	p.giveUp()
	switch {
	case why == errGone && !p.req.done:
		return false // there was no request
	case why == errGone:
		p.keep, p.status = false, statusClientClosed
	case why != nil:
		p.refuse(why)
	}
	p.record()
	return p.keep
}

// errGone ends a request whose client is not there any more, or not worth an answer.
var errGone = &refusal{status: statusClientClosed, reason: "client closed the connection"}

// receive reads the header section.
func (p *passage) receive() *refusal {
	max := limits{section: p.router.cfg.MaxHeader, field: maxField}
	p.in.compact()
	for {
		err := p.req.scan(p.in.bytes(), max)
		if errors.Is(err, errTooLong) {
			return errHeaderSize
		}
		if err != nil {
			return malformed(err)
		}
		if p.req.done {
			return p.understand()
		}
		if why := p.more(); why != nil {
			return why
		}
	}
}

// more waits for more of the header section.
func (p *passage) more() *refusal {
	if phaseOf(p.state.Load()) != heading {
		if why := p.enter(heading); why != nil {
			return why
		}
	}
	p.in.shrink()
	p.in.room()
	if p.fill(&p.in) == nil {
		return nil
	}
	if why := p.verdict(); why != nil {
		return why
	}
	return errGone
}

// understand makes a request of the section.
func (p *passage) understand() *refusal {
	why := p.req.read()
	p.in.r += p.req.line
	if p.req.id == nil {
		p.ownID = newID()
		p.req.id = p.ownID[:]
	}
	p.keep = !p.req.last() && !p.server.closing.Load()
	p.req.secure = p.secure
	return why
}

// carry sends the request to a container and passes the answer on.
func (p *passage) carry() *refusal {
	switch {
	case p.req.method == http.MethodConnect:
		return errConnect
	case p.req.length > p.router.cfg.MaxBody:
		return errBodySize
	}
	whole, why := p.receiveBody()
	if why != nil {
		return why
	}
	p.out = p.composeRequest(takeMemory())
	if whole {
		p.out = append(p.out, p.takeBody()...)
	}
	if why := p.ask(whole); why != nil {
		return why
	}
	return p.pass()
}

func (p *passage) composeRequest(out []byte) []byte {
	trust := p.router.cfg.TrustForwarded
	if !trust {
		return p.req.compose(out, p.forwarded, p.start, false)
	}
	from := p.source()
	from.believe(p.req.values)
	p.req.secure = from.proto == "https"
	return p.req.compose(out, from.lines(nil), p.start, true)
}

// takeBody returns a body that has come in whole.
func (p *passage) takeBody() []byte {
	n := int(max(p.req.length, 0))
	body := p.in.bytes()[:n]
	p.in.r += n
	p.taken = true
	return body
}

// headGrowth is how much larger than the client's header section the container's usually is at most.
const headGrowth = 1 << 10

// receiveBody waits for a body that fits into the connection's buffer, so that a slow client does not hold a container. It returns whether there
// is nothing left to wait for.
func (p *passage) receiveBody() (whole bool, _ *refusal) {
	if !p.req.body() {
		return true, nil
	}
	if p.req.chunked || p.req.expects || p.in.r+int(min(p.req.length, memorySize)) > min(len(p.in.mem), memorySize-headGrowth) {
		return false, nil
	}
	for int64(p.in.len()) < p.req.length {
		if why := p.enter(receipt); why != nil {
			return false, why
		}
		if p.fill(&p.in) != nil {
			if why := p.verdict(); why != nil {
				return false, why
			}
			return false, errGone
		}
	}
	return true, nil
}

// ask sends p.out, the request, to containers in turn until one begins to answer. A connection that was used before and proves dead
// is replaced by a new one if the request may be repeated, or nothing of it was sent.
func (p *passage) ask(whole bool) *refusal {
	var repeat repeat
	for {
		if why := p.enter(dialing); why != nil {
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
		if why := p.blameless(); why != nil {
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
func (p *passage) blameless() *refusal {
	if why := p.verdict(); why != nil {
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

// refuse answers in the place of a container.
func (p *passage) refuse(why *refusal) {
	p.refused, p.status = why, why.status
	if left := p.req.length; left > 0 && !p.taken && int64(p.in.len()) >= left {
		p.takeBody()
	}
	p.keep = p.keep && !why.final() && (p.taken || !p.req.body())
	_ = p.enter(answer) // it has its reason already
	p.out = p.appendRefusal(p.out[:0], why)
	if p.write(p.out) != nil {
		p.keep = false
		return
	}
	p.lingers = !p.keep
}

// appendRefusal appends the whole answer.
func (p *passage) appendRefusal(out []byte, why *refusal) []byte {
	if p.req.id == nil {
		p.ownID = newID()
		p.req.id = p.ownID[:]
	}
	id := string(p.req.id)
	body := why.body(id)
	out = append(strconv.AppendInt(append(out, "HTTP/1.1 "...), int64(why.status), 10), ' ')
	out = append(append(out, http.StatusText(why.status)...), "\r\n"...)
	out = appendField(out, "Date", p.router.calendar.date(p.start))
	why.header(id, func(name, value string) { out = appendField(out, name, value) })
	out = appendField(out, "Content-Length", strconv.Itoa(len(body)))
	out = append(p.appendConnection(out), "\r\n"...)
	if p.req.method == http.MethodHead {
		return out
	}
	return append(out, body...)
}

// appendConnection tells the client what becomes of its connection, where it would expect something else.
func (p *passage) appendConnection(out []byte) []byte {
	switch {
	case !p.keep:
		return append(out, "Connection: close\r\n"...)
	case p.req.minor == 0:
		return append(out, "Connection: keep-alive\r\n"...)
	}
	return out
}
