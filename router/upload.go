package router

import (
	"io"
	"sync/atomic"
)

// sending is a body on its way to a container, on a goroutine of its own, so that the container can answer before it has read everything.
type sending struct {
	done    chan struct{}
	whole   atomic.Bool             // everything was sent
	err     atomic.Pointer[refusal] // what the client did wrong
	reading atomic.Bool             // waits for the client, as far as the router can tell
}

// startUpload sends the body to p.up. Until stopUpload it alone reads from the client.
func (p *passage) startUpload() *sending {
	s := &sending{done: make(chan struct{})}
	p.taken = true
	c, up, length, limit := p.conn, p.up, p.req.length, p.router.cfg.MaxBody
	c.sending.Store(s)
	go func() {
		defer close(s.done)
		var why *refusal
		if length >= 0 {
			why = s.sendLength(c, up, length)
		} else {
			why = s.sendChunks(c, up, limit)
		}
		if why != nil {
			s.err.Store(why)
			_ = up.Close() // ends the wait for the answer
		}
		c.moved.Add(1) // the container's turn begins
		c.sending.Store(nil)
	}()
	return s
}

// stopUpload returns once the client is not read from any more.
func (p *passage) stopUpload() {
	if p.upload == nil {
		return
	}
	if !p.upload.whole.Load() {
		p.keep = false
		_ = p.SetReadDeadline(longAgo)
	}
	<-p.upload.done
}

// sendLength sends a body of so many bytes; the kernel moves what has not come in yet.
func (s *sending) sendLength(c *conn, up *upstream, length int64) *refusal {
	n := int(min(int64(c.in.len()), length))
	if _, err := up.Write(c.in.bytes()[:n]); err != nil {
		return nil // the answer tells why
	}
	c.in.r += n
	from := &io.LimitedReader{R: c.Conn, N: length - int64(n)}
	s.reading.Store(true)
	_, err := io.Copy(up.Conn, from)
	s.reading.Store(false)
	switch {
	case from.N == 0:
		s.whole.Store(true)
	case err == nil, peek(c.plain) == ended:
		return errBadBody
	}
	return nil
}

// sendChunks sends a chunked body, in chunks of the router's own, as far as limit allows.
func (s *sending) sendChunks(c *conn, up *upstream, limit int64) *refusal {
	body := chunks{limit: limit}
	var more buffer // the connection's own still holds the header section
	from, out := &c.in, takeMemory()
	defer func() { giveMemory(out) }()
	for {
		data, used, err := body.decode(from.bytes())
		if err == errBodySize {
			return errBodySize
		}
		if err != nil {
			return malformed(err)
		}
		from.r += used
		out = appendChunk(out[:0], data)
		if body.done() {
			out = body.appendTrailer(out)
		}
		if _, err := up.Write(out); err != nil {
			more.drop()
			return nil // the answer tells why
		}
		c.moved.Add(1)
		if body.done() {
			break
		}
		from = &more
		more.tidy()
		if s.receive(c, from) != nil {
			return errBadBody
		}
	}
	if from == &more {
		more.compact()
		c.spare = more
	}
	s.whole.Store(true)
	return nil
}

// receive waits for more of a body.
func (s *sending) receive(c *conn, b *buffer) error {
	s.reading.Store(true)
	defer s.reading.Store(false)
	return c.fill(b)
}

// blame is who stands still while a body is sent.
func (s *sending) blame(c *conn) *refusal {
	if s.reading.Load() && peek(c.plain) != bytesWait {
		return errSlowClient
	}
	return errFirstByte
}
