package router

import (
	"errors"
	"io"
)

// incoming is a body as it comes from a container.
type incoming struct {
	chunks chunks
	coded  bool  // in chunks
	left   int64 // of a body of a known length; less than 0 until the connection ends
	ended  bool
}

// take uses up what is in b, as far as it belongs to the body.
func (in *incoming) take(b *buffer) (data []byte, err error) {
	if in.coded {
		data, used, err := in.chunks.decode(b.bytes())
		b.r += used
		in.ended = in.chunks.done()
		return data, err
	}
	data = b.bytes()
	if in.left >= 0 {
		data = data[:min(int64(len(data)), in.left)]
		in.left -= int64(len(data))
		in.ended = in.left == 0
	}
	b.r += len(data)
	return data, nil
}

// more waits for more of the body.
func (in *incoming) more(from *socket, b *buffer) error {
	b.tidy()
	err := from.fill(b)
	if errors.Is(err, io.EOF) && !in.coded && in.left < 0 {
		in.ended = true
		return nil
	}
	return unexpected(err)
}

// passStream passes a body whose bytes the router has to touch: it is in chunks, or the end of the connection is its own, or it is
// packed. The client gets chunks of the router's making, or plain bytes if it knows only HTTP/1.0.
func (p *passage) passStream() error {
	body := incoming{coded: p.res.chunked, left: p.res.length}
	for {
		data, err := body.take(&p.back)
		if err != nil {
			return err
		}
		if err := p.passData(data, body.ended); err != nil {
			return err
		}
		if body.ended {
			break
		}
		if err := body.more(p.up.socket, &p.back); err != nil {
			return err
		}
	}
	if p.req.minor > 0 {
		p.out = body.chunks.appendTrailer(p.out)
	}
	return p.flushLast()
}

// passData sends data, with the header section if that has not been sent yet. The last of it waits in p.out for the end.
func (p *passage) passData(data []byte, last bool) error {
	if p.packer != nil {
		data = p.pack(data, last)
	}
	if len(p.out) > 0 && len(p.out)+len(data)+chunkFraming > cap(p.out) {
		if err := p.flush(); err != nil {
			return err
		}
	}
	if p.req.minor > 0 {
		p.out = appendChunk(p.out, data)
	} else {
		p.out = append(p.out, data...)
	}
	p.sent += int64(len(data))
	if last || len(p.out) == 0 {
		return nil
	}
	return p.flush()
}

// pack returns what the client can unpack to data. It is valid until the next call.
func (p *passage) pack(data []byte, last bool) []byte {
	p.packed.Reset()
	_, _ = p.packer.Write(data) // to memory
	if last {
		_ = p.packer.Close()
	} else {
		_ = p.packer.Flush()
	}
	return p.packed.Bytes()
}
