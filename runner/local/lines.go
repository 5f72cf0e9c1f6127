package local

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"boathook/runner"
)

// maxLine is where a line without an end is broken, in bytes.
const maxLine = 16 << 10

// Lines is described by [runner.Engine]. The time of a line is when it was read: the processes write to a file by themselves. A mark
// is the position after the line. An instance that is kept ends when it is removed: Lines goes on over restarts.
func (e *Engine) Lines(ctx context.Context, id, after string, each func(runner.Line) error) error {
	end, err := e.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	i, err := e.instance(id)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(i.out.path, os.O_RDONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("lines of %s: %w", id, err)
	}
	defer f.Close()
	l := &lines{out: &i.out, file: f, each: each, buf: make([]byte, outputChunk)}
	if after != "" {
		if l.pos, err = strconv.ParseInt(after, 10, 64); err != nil {
			return fmt.Errorf("lines of %s: mark: %w", id, err)
		}
	} else {
		l.pos, _ = i.out.bounds()
	}
	if err := e.follow(ctx, i, l); err != nil {
		return fmt.Errorf("lines of %s: %w", id, err)
	}
	return nil
}

// follow tells the output until the instance has ended.
func (e *Engine) follow(ctx context.Context, i *instance, l *lines) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		last := closed(i.done) // asked before reading, so that the last reading is after the end
		if err := l.read(ctx); err != nil {
			return err
		}
		if e.ctx.Err() != nil {
			return errClosed
		}
		if last {
			return l.flush()
		}
		select {
		case <-tick.C:
		case <-i.done:
		case <-e.ctx.Done():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// lines cuts an output into lines.
type lines struct {
	out  *output
	file *os.File
	each func(runner.Line) error

	buf     []byte
	pos     int64 // of the first byte of partial
	partial []byte
}

// read tells the whole lines up to the end of the output as it is met.
func (l *lines) read(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, dropped, err := l.out.readAt(l.file, l.buf, l.pos+int64(len(l.partial)))
		if err != nil || n == 0 {
			return err
		}
		if dropped > 0 {
			if err := l.skip(dropped); err != nil {
				return err
			}
		}
		l.partial = append(l.partial, l.buf[:n]...)
		if err := l.cut(); err != nil {
			return err
		}
	}
}

// skip leaves out bytes that are not kept any more, and says so.
func (l *lines) skip(n int64) error {
	if err := l.flush(); err != nil {
		return err
	}
	l.pos += n
	return l.each(runner.Line{At: time.Now(), Text: []byte(droppedText(n)), Mark: l.mark()})
}

// cut tells the lines that have an end, or are too long.
func (l *lines) cut() error {
	for {
		end := bytes.IndexByte(l.partial[:min(len(l.partial), maxLine)], '\n')
		var err error
		switch {
		case end >= 0:
			err = l.tell(end, end+1)
		case len(l.partial) >= maxLine:
			err = l.tell(maxLine, maxLine)
		default:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// flush tells what is left without an end.
func (l *lines) flush() error {
	if len(l.partial) == 0 {
		return nil
	}
	return l.tell(len(l.partial), len(l.partial))
}

// tell tells the first length bytes, which take size bytes of the output.
func (l *lines) tell(length, size int) error {
	text := l.partial[:length]
	l.pos += int64(size)
	err := l.each(runner.Line{At: time.Now(), Text: text, Mark: l.mark()})
	l.partial = l.partial[size:]
	return err
}

func (l *lines) mark() string { return strconv.FormatInt(l.pos, 10) }
