package deploy

import (
	"io"
	"strings"
	"sync"
	"time"
)

// console is the transcript of one deployment: one event a line, to the pusher as it happens and to the stored log.
//
// Lines of the platform begin with one space, output of tools with seven, errors with " !   ", as in the specification.
// Everything passes the mask and the terminal filter. Of what tools print, the stored log keeps only so much.
type console struct {
	out   io.Writer
	store func([]byte)
	mask  *mask

	mu      sync.Mutex // guards what follows, and the order of lines
	room    int64      // bytes of tools' output that the stored log still takes; negative once it was cut
	pending []byte     // written to out, not yet to store
	timer   *time.Timer
	closed  bool
}

// Lines are stored in batches of this size or age: a build that prints a line at a time must not cost a transaction each.
const (
	storeSize = 32 << 10
	storeAge  = 300 * time.Millisecond
)

// newConsole writes to out, and what it keeps through store: of tools' output the first room bytes.
func newConsole(out io.Writer, store func([]byte), room int64) *console {
	return &console{out: out, store: store, mask: newMask(nil), room: room}
}

// hide has the output of tools that are made from now on masked.
func (c *console) hide(secrets []string) { c.mask = newMask(secrets) }

// Platform prints a line of boathook itself.
func (c *console) Platform(text string) { c.line(" " + text) }

// Step prints the beginning of a step.
func (c *console) Step(text string) { c.line("-----> " + text) }

// Error prints a line that a person must not miss.
func (c *console) Error(text string) { c.line(" !   " + text) }

// Close stores what is left. Lines after it are lost.
func (c *console) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.timer != nil {
		c.timer.Stop()
	}
	c.flush()
}

// cutLine ends the tools' part of a stored log that is full.
const cutLine = " !   The log is full: the pusher saw more output, which is not kept\n"

// line writes one whole line of the platform, without its end.
func (c *console) line(text string) {
	line := append([]byte(printable(text)), '\n')
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write(line, line)
}

// tool writes one whole line of a tool, without its end.
func (c *console) tool(text string) {
	line := append([]byte(printable(text)), '\n')
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.room < 0 {
		c.write(line, nil)
		return
	}
	c.room -= int64(len(line))
	if c.room < 0 {
		c.write(line, []byte(cutLine))
		return
	}
	c.write(line, line)
}

// write shows a line, and keeps another for the log; c.mu is held.
func (c *console) write(line, kept []byte) {
	if c.closed {
		return
	}
	// The writer of a push never fails: a pusher who is gone is noticed by its context.
	_, _ = c.out.Write(line)
	c.pending = append(c.pending, kept...)
	if len(c.pending) >= storeSize {
		c.flush()
	} else if c.timer == nil {
		c.timer = time.AfterFunc(storeAge, c.age)
	}
}

func (c *console) age() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.flush()
	}
}

// flush stores the pending lines; c.mu is held, which keeps their order.
func (c *console) flush() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if len(c.pending) > 0 {
		c.store(c.pending)
		c.pending = nil
	}
}

// Tools returns a writer for the output of a tool. Each line gets seven spaces and then the label, unless it has
// the platform's form already, as buildpacks print it. Flush writes an unfinished last line.
func (c *console) Tools(label string) *toolWriter { return &toolWriter{console: c, label: label} }

type toolWriter struct {
	console *console
	label   string // "[postdeploy-12] " or ""

	mu      sync.Mutex // guards partial
	partial []byte
}

// maxLine is where a line without an end is broken, unless a secret stands there (mask.cut)..
const maxLine = 16 << 10

func (t *toolWriter) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.partial = append(t.partial, p...)
	for {
		end := strings.IndexAny(string(t.partial[:min(len(t.partial), maxLine)]), "\n\r")
		switch {
		case end >= 0:
			t.emit(string(t.partial[:end]))
			skip := end + 1
			if t.partial[end] == '\r' && skip < len(t.partial) && t.partial[skip] == '\n' {
				skip++
			}
			t.partial = t.partial[skip:]
		case len(t.partial) >= maxLine+t.console.mask.longest:
			cut := t.console.mask.cut(string(t.partial), maxLine)
			t.emit(string(t.partial[:cut]))
			t.partial = t.partial[cut:]
		default:
			return len(p), nil
		}
	}
}

// Flush ends an unfinished line.
func (t *toolWriter) Flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.partial) > 0 {
		t.emit(string(t.partial))
		t.partial = nil
	}
}

func (t *toolWriter) emit(text string) {
	text = t.console.mask.replace(text)
	if t.label == "" && inPlatformForm(text) {
		t.console.tool(text)
		return
	}
	if text == "" && t.label == "" {
		t.console.tool("")
		return
	}
	t.console.tool("       " + t.label + text)
}

// inPlatformForm tells that a buildpack has laid the line out itself.
func inPlatformForm(line string) bool {
	for _, prefix := range []string{"-----> ", "       ", " !   "} {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}
