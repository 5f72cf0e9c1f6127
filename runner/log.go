package runner

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
)

// logChunk is how much a follower copies at a time, in bytes.
const logChunk = 32 << 10

// Log keeps the newest bytes of an output and lets any number of readers follow it: first what
// is kept, then what comes. A writer never waits for a reader; a reader that is too slow, or that
// comes late, is told how many bytes it missed. All methods are safe for concurrent use.
type Log struct {
	max int64

	mu     sync.Mutex    // guards what follows; not held while a follower writes
	ring   []byte        // the byte at offset o of the whole output is ring[o%max]; grows up to max
	end    int64         // bytes written since the beginning: the offset of the next one
	closed bool          // no more writes
	wake   chan struct{} // closed by the next Write or Close; nil while nobody waits
}

// NewLog returns an empty log that keeps the newest maxBytes bytes, at least one. Memory is taken
// as the log fills.
func NewLog(maxBytes int) *Log {
	return &Log{max: int64(max(maxBytes, 1))}
}

// Write appends p. It takes all of p or, after Close, nothing and returns io.ErrClosedPipe.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, io.ErrClosedPipe
	}
	for rest := p; len(rest) > 0; {
		n := l.put(rest)
		l.end += int64(n)
		rest = rest[n:]
	}
	l.rouse()
	return len(p), nil
}

// put stores the beginning of p at the end of the log, up to where the ring wraps, and returns how
// much that was.
func (l *Log) put(p []byte) int {
	at := l.end % l.max
	if at < int64(len(l.ring)) {
		return copy(l.ring[at:], p)
	}
	n := min(int64(len(p)), l.max-at)
	l.ring = append(l.ring, p[:n]...)
	return int(n)
}

// Close ends the log: followers return once they have written what is kept. What is kept can
// still be read.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.rouse()
	return nil
}

// rouse wakes the waiting followers. Callers hold mu.
func (l *Log) rouse() {
	if l.wake != nil {
		close(l.wake)
		l.wake = nil
	}
}

// Follow writes everything kept to w and then what is written, until Close (nil), until ctx ends
// (its error) or until w fails. Where bytes are missing it writes a line that counts them.
func (l *Log) Follow(ctx context.Context, w io.Writer) error {
	out := gapWriter{w: w}
	buf := make([]byte, logChunk)
	for pos := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, dropped, wait := l.read(buf, pos)
		switch {
		case n > 0:
			if err := out.write(buf[:n], dropped); err != nil {
				return fmt.Errorf("write log: %w", err)
			}
			pos += dropped + int64(n)
		case wait == nil:
			return nil
		default:
			select {
			case <-wait:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// read copies what the log has from offset pos on, or from the oldest byte kept after that, into
// buf, and returns how many bytes were copied and how many were skipped. If there are none, wait is
// closed at the next change; it is nil if there will be no change.
func (l *Log) read(buf []byte, pos int64) (n int, dropped int64, wait <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if oldest := l.end - int64(len(l.ring)); pos < oldest {
		dropped = oldest - pos
		pos = oldest
	}
	if pos < l.end {
		return l.copyFrom(buf, pos), dropped, nil
	}
	if l.closed {
		return 0, 0, nil
	}
	if l.wake == nil {
		l.wake = make(chan struct{})
	}
	return 0, 0, l.wake
}

// copyFrom copies from offset pos, which must be kept, to the end or until buf is full. Callers hold mu.
func (l *Log) copyFrom(buf []byte, pos int64) int {
	buf = buf[:min(int64(len(buf)), l.end-pos)]
	n := copy(buf, l.ring[pos%l.max:])
	n += copy(buf[n:], l.ring)
	return n
}

// Tail returns the last n lines that are kept, the last one perhaps unfinished, the first one
// perhaps cut; nil if n is not positive.
func (l *Log) Tail(n int) []byte {
	l.mu.Lock()
	kept := make([]byte, len(l.ring))
	l.copyFrom(kept, l.end-int64(len(l.ring)))
	l.mu.Unlock()
	return lastLines(kept, n)
}

// lastLines returns the end of b that holds its last n lines.
func lastLines(b []byte, n int) []byte {
	if n <= 0 {
		return nil
	}
	at := len(bytes.TrimSuffix(b, []byte("\n")))
	for ; n > 0 && at >= 0; n-- {
		at = bytes.LastIndexByte(b[:at], '\n')
	}
	return b[at+1:]
}

// gapWriter writes an output that may have gaps, and says in a line of its own how large each is.
type gapWriter struct {
	w   io.Writer
	mid bool // the last byte written did not end a line
}

// write writes p, before which dropped bytes are missing.
func (g *gapWriter) write(p []byte, dropped int64) error {
	if dropped > 0 {
		lead := ""
		if g.mid {
			lead = "\n"
		}
		if _, err := fmt.Fprintf(g.w, "%s[%d bytes of output dropped]\n", lead, dropped); err != nil {
			return err
		}
	}
	_, err := g.w.Write(p)
	g.mid = p[len(p)-1] != '\n'
	return err
}
