package router

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// The sections that the fast path sends are the ones it received, copied in runs, without the fields that end at the router and with the
// router's own at the end.

// without appends the fields of h but for those that drop tells.
func (h *head) without(out []byte, drop func(*field) bool) []byte {
	if len(h.fields) == 0 {
		return out
	}
	run := h.fields[0].from
	for i := range h.fields {
		if f := &h.fields[i]; drop(f) {
			out = append(out, h.buf[run:f.from]...)
			run = f.to
		}
	}
	return append(out, h.buf[run:h.line-len("\r\n")]...)
}

// compose appends the request as the container gets it: HTTP/1.1, with forwarded, whole lines, in the place of what the client may have said
// about itself.
func (q *request) compose(out, forwarded []byte, start time.Time, trust bool) []byte {
	out = append(out, q.method...)
	out = append(out, ' ')
	out = append(out, q.target...)
	out = append(out, " HTTP/1.1\r\n"...)
	out = q.without(out, func(f *field) bool {
		switch f.kind {
		case hostKind, lengthKind:
			return false
		case other, cookieKind, acceptKind, typeKind, encodedKind, dateKind, trailerKind, tagKind, rangesKind:
			return q.hop(f)
		case expectKind:
			return !q.expects
		case forwardKind:
			return !trust || !kept(q.name(f))
		}
		return true
	})
	out = append(out, forwarded...)
	out = append(append(append(out, "X-Request-ID: "...), q.id...), "\r\nX-Request-Start: "...)
	out = append(appendStart(out, start), "\r\n"...)
	if q.chunked {
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	}
	if q.trailers {
		out = append(out, "TE: trailers\r\n"...)
	}
	if q.upgrade != nil {
		out = append(append(append(out, "Connection: Upgrade\r\nUpgrade: "...), q.upgrade...), "\r\n"...)
	}
	return append(out, "\r\n"...)
}

// kept tells of a forwarding field from a trusted forwarder whether it stays as it is; the others are merged with the router's own.
func kept(name []byte) bool {
	return equalFold(name, "forwarded") || equalFold(name, "x-forwarded-host")
}

// compose appends the answer as the client gets it; the fields of its framing follow.
func (s *response) compose(out []byte, date, cookie string) []byte {
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(s.status), 10)
	out = append(out, s.reason...)
	if len(s.reason) == 0 {
		out = append(out, ' ') // RFC 9112, 4: the space is not optional
	}
	out = append(out, "\r\n"...)
	out = s.without(out, func(f *field) bool { return !s.passes(f) })
	if !s.dated && s.status >= 200 {
		out = appendField(out, "Date", date)
	}
	if cookie != "" {
		out = appendField(out, "Set-Cookie", cookie)
	}
	if s.packed {
		out = append(out, "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n"...)
	}
	if s.packed && s.tag != nil {
		out = appendField(out, "ETag", weak(string(s.tag)))
	}
	return out
}

// passes tells whether the client gets a field as it is.
func (s *response) passes(f *field) bool {
	switch f.kind {
	case lengthKind:
		return s.status >= 200 && s.status != 204 && !s.packed
	case tagKind, rangesKind:
		return !s.packed && !s.hop(f)
	}
	return !s.hop(f)
}

// appendField appends a header line.
func appendField(out []byte, name, value string) []byte {
	out = append(append(out, name...), ": "...)
	return append(append(out, value...), "\r\n"...)
}

// appendStart appends X-Request-Start: "t=1693406590.527", seconds with milliseconds, as the platform's users know it.
func appendStart(out []byte, t time.Time) []byte {
	out = append(out, "t="...)
	out = strconv.AppendInt(out, t.Unix(), 10)
	ms := t.Nanosecond() / int(time.Millisecond)
	return append(out, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
}

// newID makes a request's id, a UUID version 4, RFC 9562. It tells requests apart and is no secret.
func newID() (id [36]byte) {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(b[8:], rand.Uint64())
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	at := 0
	for _, part := range [][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		if at > 0 {
			id[at] = '-'
			at++
		}
		at += hex.Encode(id[at:], part)
	}
	return id
}

// calendar writes the field Date, once a second.
type calendar struct{ last atomic.Pointer[day] }

type day struct {
	second int64
	text   string
}

func (c *calendar) date(t time.Time) string {
	now := t.Unix()
	if d := c.last.Load(); d != nil && d.second == now {
		return d.text
	}
	d := &day{now, t.UTC().Format(http.TimeFormat)}
	c.last.Store(d)
	return d.text
}
