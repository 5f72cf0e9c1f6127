package router

import (
	"io"
	"sync/atomic"
	"time"
)

// sending is a body on its way to a container, on a goroutine of its own, so that the container can answer before it has read everything.
type sending struct {
	done     chan struct{}
	received atomic.Bool             // everything has come from the client; set before the last of it is sent
	whole    atomic.Bool             // everything was sent
	err      atomic.Pointer[refusal] // what the client did wrong
	reading  atomic.Bool             // waits for the client, as far as the router can tell
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
	if !p.upload.received.Load() {
		p.keep = false
		_ = p.SetReadDeadline(longAgo)
	}
	<-p.upload.done
	if !p.upload.whole.Load() {
		p.keep = false // how much of the body has been read is nothing to build on, and what came behind a chunked one is lost
	}
}

// ends waits a moment for the sending to end that has nothing more to wait for, and returns whether everything was sent.
func (s *sending) ends() bool {
	if s.received.Load() {
		select {
		case <-s.done:
		case <-time.After(20 * time.Millisecond):
		}
	}
	return s.whole.Load()
}

// sendLength sends a body of so many bytes. The kernel moves what has not come in yet, but for the last of it: before the container has that, and can
// answer, it must be noted that the client has sent everything.
func (s *sending) sendLength(c *conn, up *upstream, length int64) *refusal {
	n := min(int64(c.in.len()), length)
	left := length - n
	s.received.Store(left == 0)
	body := c.in.bytes()[:n]
	c.in.r += int(n) // it is no request, whatever becomes of it
	if _, err := up.Write(body); err != nil {
		return nil // the answer tells why
	}
	if left == 0 {
		s.whole.Store(true)
	} else if !s.sendRest(c, up, left) && peek(c.plain) == ended {
		return errBadBody
	}
	return nil
}

// sendRest returns whether it could read everything.
func (s *sending) sendRest(c *conn, up *upstream, left int64) bool {
	last := takeMemory()[:min(left, memorySize)]
	defer func() { giveMemory(last) }()
	s.reading.Store(true)
	defer s.reading.Store(false)
	from := &io.LimitedReader{R: c.Conn, N: left - int64(len(last))}
	if _, err := io.Copy(up.Conn, from); err != nil || from.N > 0 {
		return false
	}
	if _, err := io.ReadFull(c.Conn, last); err != nil {
		return false
	}
	s.received.Store(true)
	if _, err := up.Write(last); err == nil {
		s.whole.Store(true)
	}
	return true
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
			s.received.Store(true)
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
