package router

import (
	"bytes"
	"compress/gzip"
	"errors"
	"net/http"
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
	line    Record   // for the access log, here so that it is no garbage
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
		p.giveBack() // the container need not wait for a slow client
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
	if proof := p.router.challenges.answer(&p.req.ask); proof != nil {
		return proof
	}
	whole, why := p.receiveBody()
	if why != nil {
		return why
	}
	p.out = p.composeRequest(takeMemory())
	if whole {
		p.out = append(p.out, p.takeBody()...)
	}
	p.req.slow = !whole
	if why := p.ask(whole); why != nil {
		return why
	}
	return p.pass()
}

func (p *passage) composeRequest(out []byte) []byte {
	if !p.forwarder {
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
