package router

import (
	"errors"
	"io"
	"net"
	"slices"
)

// passUpgrade passes on that the container changes the protocol, and then whatever either side sends, until both have ended.
func (p *passage) passUpgrade() {
	p.keep = false
	p.out = p.res.compose(p.out[:0], "", "")
	p.out = append(appendField(append(p.out, "Connection: Upgrade\r\n"...), "Upgrade", string(p.res.upgrade)), "\r\n"...)
	if p.write(p.out) != nil || p.enter(tunnel) != nil {
		return
	}
	early := slices.Clone(p.in.bytes())
	p.lighten()
	done := make(chan struct{})
	up, moved := p.up, func() { p.moved.Add(1) }
	go func() {
		defer close(done)
		if _, err := up.Write(early); err == nil {
			convey(up.Conn, p.socket, new(buffer), moved)
		}
	}()
	convey(p.conn.Conn, up.socket, &p.back, moved)
	<-done
	p.refused = p.verdict()
}

// lighten frees the memory of the request but for what the access log tells of it: an upgraded connection may last for days.
func (p *passage) lighten() {
	p.req.host, p.req.target, p.req.id = slices.Clone(p.req.host), slices.Clone(p.req.target), slices.Clone(p.req.id)
	p.in.drop()
	giveMemory(p.out)
	p.out = nil
}

// convey sends what is in b and whatever from brings, and tells of each movement. At from's end it passes on that no more will come; on an
// error it ends both connections.
func convey(to net.Conn, from *socket, b *buffer, moved func()) {
	for {
		if b.len() > 0 {
			if _, err := to.Write(b.bytes()); err != nil {
				break
			}
			moved()
		}
		b.drop()
		if err := from.fill(b); err != nil {
			if half, ok := to.(interface{ CloseWrite() error }); ok && errors.Is(err, io.EOF) && half.CloseWrite() == nil {
				return
			}
			break
		}
		moved()
	}
	_ = to.Close()
	_ = from.conn.Close()
}
