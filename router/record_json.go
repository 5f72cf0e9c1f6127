package router

import (
	"io"
	"sync"
	"time"
)

// A line waits for others as long as linesWait at most, or until there are linesSize bytes of them.
const (
	linesWait = 100 * time.Millisecond
	linesSize = 32 << 10
)

// JSONLog is an AccessLog that writes each record as a line of JSON, as many with one Write as come within 100 ms or make 32 KiB. What w does not
// take is lost; that is for w to tell.
type JSONLog struct {
	w       io.Writer
	scratch sync.Pool // of *[]byte, a line each

	mu    sync.Mutex // guards what follows
	lines []byte     // not written yet
	due   *time.Timer

	writing sync.Mutex // held for a Write; guards what follows; taken before mu
	written []byte     // the memory of the lines before
}

// NewJSONLog returns one that writes to w, with one Write at a time. The last lines are there after a Flush.
func NewJSONLog(w io.Writer) *JSONLog {
	l := &JSONLog{w: w, scratch: sync.Pool{New: func() any { return new([]byte) }}}
	l.due = time.AfterFunc(linesWait, l.Flush)
	return l
}

// Enabled implements AccessLog.
func (l *JSONLog) Enabled() bool { return true }

// Log implements AccessLog. It waits for the writer only when that is 32 KiB behind.
func (l *JSONLog) Log(r *Record) {
	line := l.scratch.Get().(*[]byte)
	*line = r.AppendJSON((*line)[:0])
	l.mu.Lock()
	if len(l.lines) == 0 {
		l.due.Reset(linesWait)
	}
	l.lines = append(l.lines, *line...)
	full := len(l.lines) >= linesSize
	l.mu.Unlock()
	l.scratch.Put(line)
	if full {
		l.Flush()
	}
}

// Flush writes the lines that wait.
func (l *JSONLog) Flush() {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	lines := l.lines
	l.lines = l.written[:0]
	l.mu.Unlock()
	l.written = lines
	if len(lines) > 0 {
		_, _ = l.w.Write(lines)
	}
}
