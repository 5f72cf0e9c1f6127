package router

import (
	"errors"
	"io"
	"net"
	"net/http"
)

// maxAnswerHead limits the header section of an answer, interim ones included; maxInterim how many of those there may be.
const (
	maxAnswerHead = 256 << 10
	maxInterim    = 16
)

// spliceFrom is from how many bytes on the kernel moves a body by itself.
const spliceFrom = 32 << 10

// pass reads the answer that has begun to come, and passes it on to the client. A refusal means that the client has got nothing yet.
func (p *passage) pass() *refusal {
	for n := 0; ; n++ {
		if why := p.receiveAnswer(); why != nil {
			return why
		}
		if !p.res.interim() {
			break
		}
		if n == maxInterim {
			return p.nonsense(errTooLong)
		}
		if why := p.passInterim(); why != nil {
			return why
		}
	}
	p.dequeue()
	if p.lease.failures.Load() != 0 {
		p.lease.fine()
	}
	if why := p.enter(answer); why != nil {
		return why
	}
	p.status = p.res.status
	if p.status == 101 {
		p.passUpgrade()
		return nil
	}
	return p.passFinal()
}

// receiveAnswer reads the next header section.
func (p *passage) receiveAnswer() *refusal {
	p.res.reset()
	for {
		if err := p.res.scan(p.back.bytes(), limits{section: maxAnswerHead}); err != nil {
			return p.nonsense(err)
		}
		if p.res.done {
			break
		}
		p.back.room()
		if err := p.up.fill(&p.back); err != nil {
			if why := p.blameless(err); why != nil {
				return why
			}
			return p.nonsense(err)
		}
	}
	if err := p.res.read(&p.req); err != nil {
		return p.nonsense(err)
	}
	p.back.r += p.res.line
	return nil
}

// nonsense refuses for a container that does not speak HTTP.
func (p *passage) nonsense(err error) *refusal {
	p.router.quarantine(p.lease.target, err)
	return p.dropped(err)
}

// passInterim passes on an answer that another one follows, to a client that knows of such. The clock goes on for the container.
func (p *passage) passInterim() *refusal {
	if p.req.minor == 0 {
		return nil
	}
	if why := p.enter(answer); why != nil {
		return why
	}
	p.out = append(p.res.compose(p.out[:0], "", ""), "\r\n"...)
	if p.write(p.out) != nil {
		return errGone
	}
	return p.enter(waiting)
}

// passFinal passes the answer with its body. Where that breaks off, so does the client's connection, lest it takes a part for the whole.
func (p *passage) passFinal() *refusal {
	if p.upload != nil && !p.upload.received.Load() {
		p.keep = false // the container does not want the rest of the body; it will not be read
	}
	p.startPacking()
	coded := !p.res.bodiless(p.req.method) && (p.res.length < 0 || p.res.packed)
	untilClose := coded && p.req.minor == 0
	p.keep = p.keep && !untilClose
	p.out = p.res.compose(p.out[:0], p.router.calendar.date(p.start), p.lease.setSticky(&p.req.ask))
	if coded && !untilClose {
		p.out = append(p.out, "Transfer-Encoding: chunked\r\n"...)
	}
	p.out = append(p.appendConnection(p.out), "\r\n"...)
	err := p.passBody()
	if err == nil {
		err = p.settle()
	}
	if err != nil {
		return p.breakAway(err, untilClose)
	}
	p.lingers = !p.keep && (p.in.len() > 0 || p.upload != nil)
	return nil
}

// settle gives the container's connection back after a whole answer, or closes it if the next answer on it could not be trusted.
func (p *passage) settle() error {
	if p.up == nil {
		return nil
	}
	if why := p.enter(settling); why != nil {
		return why
	}
	if p.res.close || p.back.len() > 0 || p.upload != nil && !p.upload.ends() {
		p.giveUp()
		return nil
	}
	p.stopUpload()
	u := p.up
	p.up = nil
	p.peer.Store(nil)
	u.pool.put(u)
	return nil
}

// breakAway ends the client's connection after a part of an answer. Where the end of the connection would be taken for that of the answer, the
// connection is reset. As long as nothing was sent there can be a refusal instead.
func (p *passage) breakAway(err error, reset bool) *refusal {
	why := p.verdict()
	if refused := new(refusal); why == nil && errors.As(err, &refused) {
		why = refused
	}
	if !p.begun && why == nil {
		why = p.nonsense(err)
	}
	if !p.begun {
		return why
	}
	p.refused, p.keep = why, false
	p.router.cfg.Log.Debug("answer cut short", "request", string(p.req.id), "err", err)
	if tcp, ok := p.plain.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = p.plain.Close()
	return nil
}

func (p *passage) passBody() error {
	if p.res.chunked || p.res.length < 0 || p.packer != nil {
		return p.passStream()
	}
	return p.passLength(p.res.length)
}

// startPacking packs the answer's body if it should be and can be.
func (p *passage) startPacking() {
	if p.req.gzip && p.req.minor > 0 && p.req.method != http.MethodHead && p.res.status == http.StatusOK && !p.res.encoded &&
		packable(p.res.status, p.res.length, p.res.values) {
		p.packer = p.router.packers.take(&p.packed)
		p.res.packed = p.packer != nil
	}
}

// passLength passes a body of left bytes, the first of them together with the header section.
func (p *passage) passLength(left int64) error {
	n := min(int(min(left, memorySize)), p.back.len(), max(0, cap(p.out)-len(p.out)))
	p.out = append(p.out, p.back.bytes()[:n]...)
	p.back.r += n
	p.sent += int64(n)
	if int64(n) == left {
		return p.flushLast()
	}
	if err := p.flush(); err != nil {
		return err
	}
	for left -= int64(n); left > 0; {
		n, err := p.passSome(left)
		p.sent += n
		if left -= n; err != nil {
			return err
		}
		if why := p.enter(answer); why != nil {
			return why
		}
	}
	return nil
}

// passSome passes at most left bytes of a body: those at hand, else what comes next, else all.
func (p *passage) passSome(left int64) (int64, error) {
	if p.back.len() == 0 && left >= spliceFrom {
		if n, ok, err := p.splice(left); ok {
			return n, err
		}
	}
	if p.back.len() == 0 {
		p.back.tidy()
		if err := p.up.fill(&p.back); err != nil {
			return 0, unexpected(err)
		}
	}
	n := int(min(left, int64(p.back.len())))
	err := p.write(p.back.bytes()[:n])
	p.back.r += n
	return int64(n), err
}

// splice lets the kernel move left bytes between two TCP connections.
func (p *passage) splice(left int64) (n int64, ok bool, err error) {
	to, plain := p.conn.Conn.(*net.TCPConn)
	from, straight := p.up.Conn.(*net.TCPConn)
	if !plain || !straight {
		return 0, false, nil
	}
	n, err = to.ReadFrom(&io.LimitedReader{R: from, N: left})
	if err == nil && n < left {
		err = io.ErrUnexpectedEOF
	}
	return n, true, err
}

// flushLast sends p.out, the end of the answer. The container is free before, its connection and the lease: neither it nor a Drain waits for a slow
// client.
func (p *passage) flushLast() error {
	if err := p.settle(); err != nil {
		return err
	}
	p.giveBack()
	if why := p.enter(answer); why != nil {
		return why
	}
	p.begun = true
	return p.write(p.out)
}

// flush sends p.out, and marks the movement.
func (p *passage) flush() error {
	p.begun = true
	err := p.write(p.out)
	p.out = p.out[:0]
	if err != nil {
		return err
	}
	if why := p.enter(answer); why != nil {
		return why
	}
	return nil
}

// unexpected is the end of a connection in the middle of something.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
