package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

const (
	trimEvery   = time.Second           // how often outputs are cut to their size
	followEvery = 50 * time.Millisecond // how often a follower looks for more
	outputChunk = 32 << 10              // bytes read at a time
	holeAlign   = 4096                  // bytes; the block of common file systems
)

// output is the file that an instance's processes write to directly, so that they need no boathook. They append;
// we free the space of old output with a hole at the beginning, which moves nothing. Where the file system has no
// holes, the whole file is emptied instead, and what is written at that moment is lost uncounted.
//
// Positions count all bytes ever written. A process that writes faster than it is trimmed takes
// more space than keep for that long.
type output struct {
	path string
	keep int64 // bytes

	mu    sync.Mutex // guards what follows; trim holds it so that the file and base change as one
	base  int64      // position of the file's first byte: not 0 only where it was emptied
	start int64      // position of the oldest byte that is kept
}

// open returns the file for a process to write to.
func (o *output) open() (*os.File, error) {
	return os.OpenFile(o.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
}

// recover finds out what an earlier boathook kept.
func (o *output) recover() error {
	f, err := os.Open(o.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.start, err = firstData(f)
	return err
}

// trim frees old output if there is more than keep, so that half of that is left.
func (o *output) trim() error {
	info, err := os.Stat(o.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.base+info.Size()-o.start <= o.keep {
		return nil
	}
	f, err := os.OpenFile(o.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the instance was removed
	}
	if err != nil {
		return err
	}
	defer f.Close()
	cut := (info.Size() - o.keep/2) / holeAlign * holeAlign
	o.start = o.base + cut // before the hole is there, so that nobody takes it for output
	err = punchHole(f, cut)
	if errors.Is(err, errors.ErrUnsupported) {
		o.base += info.Size()
		o.start = o.base
		return f.Truncate(0)
	}
	return err
}

// bounds returns the positions of the oldest byte and of the file's first one.
func (o *output) bounds() (start, base int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.start, o.base
}

// copyTo writes the output from pos on, or from the oldest byte kept if that is later, to w, up to the end of
// the file as it is met, and returns the position after it. A gap is told in a line of its own.
func (o *output) copyTo(ctx context.Context, w io.Writer, f *os.File, pos int64) (int64, error) {
	buf := make([]byte, outputChunk)
	for {
		if err := ctx.Err(); err != nil {
			return pos, err
		}
		n, dropped, err := o.readAt(f, buf, pos)
		if err != nil || n == 0 {
			return pos, err
		}
		if dropped > 0 {
			if _, err := fmt.Fprintf(w, "\n%s\n", droppedText(dropped)); err != nil {
				return pos, err
			}
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return pos, err
		}
		pos += dropped + int64(n)
	}
}

func droppedText(n int64) string { return fmt.Sprintf("[%d bytes of output dropped]", n) }

// readAt reads what there is from pos on, or from the oldest byte kept if that is later, and returns how many bytes it read and how many it
// had to leave out before. At the end both are 0.
func (o *output) readAt(f *os.File, buf []byte, pos int64) (n int, dropped int64, err error) {
	for {
		start, base := o.bounds()
		dropped = max(0, start-pos)
		n, err = f.ReadAt(buf, pos+dropped-base)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, 0, err
		}
		if nowStart, nowBase := o.bounds(); nowStart > pos+dropped || nowBase != base {
			continue // trimmed under our hands: buf may hold a piece of the hole
		}
		if n == 0 {
			dropped = 0
		}
		return n, dropped, nil
	}
}

// tailFrom returns the position of the last n lines; of everything kept if n is 0.
func (o *output) tailFrom(f *os.File, n int) (int64, error) {
	start, base := o.bounds()
	if n <= 0 {
		return start, nil
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	end := base + info.Size()
	buf := make([]byte, outputChunk)
	for lines, last := 0, true; end > start; last = false {
		from := max(start, end-outputChunk)
		block := buf[:end-from]
		if _, err := f.ReadAt(block, from-base); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if last {
			block = bytes.TrimSuffix(block, []byte("\n")) // it ends the last line and begins none
		}
		for at := bytes.LastIndexByte(block, '\n'); at >= 0; at = bytes.LastIndexByte(block[:at], '\n') {
			if lines++; lines == n {
				return from + int64(at) + 1, nil
			}
		}
		end = from
	}
	return start, nil
}

// trimOutputs keeps the outputs to their size until the engine is closed.
func (e *Engine) trimOutputs() {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-e.ctx.Done():
			return
		}
		for _, i := range e.all() {
			if err := i.out.trim(); err != nil {
				e.cfg.Log.Error("output not trimmed", "instance", i.rec.ID, "err", err)
			}
		}
	}
}
