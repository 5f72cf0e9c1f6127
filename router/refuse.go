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
