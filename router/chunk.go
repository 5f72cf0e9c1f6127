package router

import (
	"strconv"

	"golang.org/x/net/http/httpguts"
)

// chunks reads a body in the chunked coding, RFC 9112, 7.1, as it comes in. Its framing is not passed on but written anew, so that what the
// router took for a chunk is one for everybody after it.
type chunks struct {
	limit   int64 // of the data altogether; 0 is none
	size    int64 // of the chunks so far
	state   chunkState
	left    int64 // of the chunk's data; of its size while that is read
	line    int   // bytes of the size line so far, extensions included
	trailer head
	section []byte // the trailer section so far
}

type chunkState uint8

const (
	chunkSize chunkState = iota // before or in the size
	chunkExtension
	chunkSizeEnd // after the CR of the size line
	chunkData
	chunkDataCR
	chunkDataLF
	chunkTrailer
	chunkDone
)

const (
	maxChunkDigits = 16      // of a chunk's size
	maxChunkLine   = 256     // bytes of a chunk's size with its extensions
	maxTrailer     = 8 << 10 // bytes of a trailer section

	errChunk = wireError("a chunk of its body is malformed")
)

func (c *chunks) done() bool { return c.state == chunkDone }

// decode reads src and moves the data in it to its front. It returns the data, and how much of src belongs to the body: all of it
// unless the body ends there. The error is a wireError or errBodySize.
func (c *chunks) decode(src []byte) (data []byte, used int, err error) {
	kept := 0
	for used < len(src) && c.state != chunkDone {
		switch c.state {
		case chunkData:
			n := min(c.left, int64(len(src)-used))
			kept += copy(src[kept:], src[used:used+int(n)])
			used += int(n)
			if c.left -= n; c.left == 0 {
				c.state = chunkDataCR
			}
		case chunkTrailer:
			if used, err = c.readTrailer(src, used); err != nil {
				return nil, used, err
			}
		default:
			if err := c.step(src[used]); err != nil {
				return nil, used, err
			}
			used++
		}
	}
	return src[:kept], used, nil
}

// step reads a byte of the framing.
func (c *chunks) step(b byte) error {
	if c.state <= chunkSizeEnd {
		if c.line++; c.line > maxChunkLine {
			return errChunk
		}
	}
	switch {
	case c.state == chunkSize && isHex(b) && c.line <= maxChunkDigits && c.left < 1<<58:
		c.left = c.left<<4 | hexValue(b)
	case c.state == chunkSize && c.line > 1 && b == ';':
		c.state = chunkExtension
	case (c.state == chunkSize && c.line > 1 || c.state == chunkExtension) && b == '\r':
		c.state = chunkSizeEnd
	case c.state == chunkExtension && (b >= ' ' && b != 0x7f || b == '\t'):
	case c.state == chunkSizeEnd && b == '\n':
		return c.begin()
	case c.state == chunkDataCR && b == '\r':
		c.state = chunkDataLF
	case c.state == chunkDataLF && b == '\n':
		c.state = chunkSize
	default:
		return errChunk
	}
	return nil
}

// begin begins a chunk's data, or after the last chunk the trailers.
func (c *chunks) begin() error {
	c.line, c.state = 0, chunkData
	if c.left == 0 {
		c.state = chunkTrailer
	}
	if c.size += c.left; c.limit > 0 && c.size > c.limit {
		return errBodySize
	}
	return nil
}

func hexValue(b byte) int64 {
	if b <= '9' {
		return int64(b - '0')
	}
	return int64(b | 0x20 - 'a' + 10)
}

// readTrailer reads on in the trailer section, which begins in src or began before it. It returns how far src is used.
func (c *chunks) readTrailer(src []byte, used int) (int, error) {
	before := len(c.section)
	c.section = append(c.section, src[used:min(len(src), used+maxTrailer+1-before)]...)
	c.trailer.trailer = true
	if err := c.trailer.scan(c.section, limits{section: maxTrailer}); err != nil {
		return used, err
	}
	if !c.trailer.done {
		return used + len(c.section) - before, nil
	}
	c.state = chunkDone
	return used + c.trailer.line - before, nil
}

// appendTrailer appends the end of a body with the trailers that may pass.
func (c *chunks) appendTrailer(out []byte) []byte {
	out = append(out, "0\r\n"...)
	if c.trailer.done {
		out = c.trailer.without(out, func(f *field) bool {
			return f.kind != other || !httpguts.ValidTrailerHeader(string(c.trailer.name(f)))
		})
	}
	return append(out, "\r\n"...)
}

// chunkFraming is how many bytes a chunk of what a buffer holds is larger than that, the last chunk after it included.
const chunkFraming = 32

// appendChunk appends data as one chunk, nothing if there is no data: that would be the end.
func appendChunk(out, data []byte) []byte {
	if len(data) == 0 {
		return out
	}
	out = strconv.AppendInt(out, int64(len(data)), 16)
	out = append(append(out, "\r\n"...), data...)
	return append(out, "\r\n"...)
}
