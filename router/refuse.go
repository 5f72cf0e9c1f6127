package router

import (
	"net/http"
	"strconv"
)

// refuse answers in the place of a container.
func (p *passage) refuse(why *refusal) {
	p.refused, p.status = why, why.status
	if left := p.req.length; left > 0 && !p.taken && int64(p.in.len()) >= left {
		p.takeBody()
	}
	p.keep = p.keep && !why.final() && (p.taken || !p.req.body())
	_ = p.enter(answer) // it has its reason already
	reply := p.reply(why)
	p.out = p.appendReply(p.out[:0], &reply)
	if p.req.method == http.MethodHead {
		reply.body = nil
	}
	if p.sendReply(reply.body) != nil {
		p.keep = false
		return
	}
	p.lingers = !p.keep
}

// reply words a refusal for the client.
func (p *passage) reply(why *refusal) reply {
	if p.req.id == nil {
		p.ownID = newID()
		p.req.id = p.ownID[:]
	}
	to := client{html: takesHTML(p.req.values("Accept")), gzip: p.req.gzip && p.req.minor > 0}
	return why.reply(p.lease.live, to, string(p.req.id))
}

// sendReply sends p.out, the header section, and the body behind it, in pieces: a client may take long to read a page.
func (p *passage) sendReply(body []byte) error {
	for {
		n := min(len(body), max(0, memorySize-len(p.out)))
		p.out = append(p.out, body[:n]...)
		if err := p.write(p.out); err != nil {
			return err
		}
		p.sent += int64(n)
		if body, p.out = body[n:], p.out[:0]; len(body) == 0 {
			return nil
		}
		if why := p.enter(answer); why != nil {
			return why
		}
	}
}

// appendReply appends the header section of the answer.
func (p *passage) appendReply(out []byte, why *reply) []byte {
	out = append(strconv.AppendInt(append(out, "HTTP/1.1 "...), int64(why.status), 10), ' ')
	out = append(append(out, http.StatusText(why.status)...), "\r\n"...)
	out = appendField(out, "Date", p.router.calendar.date(p.start))
	why.header(func(name, value string) { out = appendField(out, name, value) })
	return append(p.appendConnection(out), "\r\n"...)
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
