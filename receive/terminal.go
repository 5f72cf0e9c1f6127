package receive

import (
	"bytes"
	"context"
	"io"
	"sync"

	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/term"
)

// Terminal is the client's terminal, which is in raw mode: each key arrives as it is typed, and a line ends with CR LF (RFC 4254, section 6.2).
type Terminal struct {
	Type    string // TERM
	Size    Size   // when the command began
	Resized <-chan Size
	In      io.Reader
	Out     io.Writer

	lines sync.WaitGroup
}

// Size is that of a terminal, in characters.
type Size = struct{ Columns, Rows uint16 }

// Lines is for a command that is no master of terminals: the keys become lines, which are shown and can be corrected while they are typed,
// and in what is written to out every line ends with CR LF. The context that it returns ends with ctx and with Ctrl-C.
func (t *Terminal) Lines(ctx context.Context) (_ context.Context, in io.Reader, out io.Writer) {
	ctx, cancel := context.WithCancelCause(ctx)
	editor := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{interruptible{t.In, func() { cancel(errSignal) }}, t.Out}, "")
	_ = editor.SetSize(int(t.Size.Columns), int(t.Size.Rows)) // writes nothing, as nothing is shown yet
	in, typed := io.Pipe()
	t.lines.Go(func() { // ends with the channel
		for {
			line, err := editor.ReadLine()
			if err == nil {
				_, err = io.WriteString(typed, line+"\n")
			}
			if err != nil {
				typed.CloseWithError(io.EOF)
				return
			}
		}
	})
	context.AfterFunc(ctx, func() { typed.Close() }) // nobody may read a line that is typed at the end
	return ctx, in, editor
}

// interruptible calls interrupt when it reads a Ctrl-C.
type interruptible struct {
	io.Reader
	interrupt func()
}

func (i interruptible) Read(p []byte) (int, error) {
	n, err := i.Reader.Read(p)
	if bytes.IndexByte(p[:n], 0x03) >= 0 {
		i.interrupt()
	}
	return n, err
}

// crlf ends lines as a raw terminal wants it.
type crlf struct{ io.Writer }

func (w crlf) Write(p []byte) (int, error) {
	if _, err := w.Writer.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// maxSize bounds the columns and the rows of a terminal.
const maxSize = 10_000

// pty takes a pty-req. One with no rows tells the width of the terminal alone, and asks for nothing more.
func (s *session) pty(payload []byte) bool {
	var req struct {
		Type                   string
		Columns, Rows          uint32
		WidthPixel, HighPixels uint32
		Modes                  string // of the client's terminal (RFC 4254, section 8); a program sets its own
	}
	if gossh.Unmarshal(payload, &req) != nil || req.Columns > maxSize || req.Rows > maxSize {
		return false
	}
	s.width = int(req.Columns)
	if req.Rows == 0 || req.Columns == 0 {
		return false
	}
	s.resized = make(chan Size, 1)
	s.terminal = &Terminal{
		Type: req.Type, Size: Size{Columns: uint16(req.Columns), Rows: uint16(req.Rows)}, Resized: s.resized, In: s.ch, Out: s.ch,
	}
	return true
}

// windowChange takes a window-change (RFC 4254, section 6.7). Only the newest size is kept for who has not asked yet.
func (s *session) windowChange(payload []byte) {
	var req struct{ Columns, Rows, WidthPixel, HighPixels uint32 }
	if s.terminal == nil || gossh.Unmarshal(payload, &req) != nil || req.Columns > maxSize || req.Rows > maxSize {
		return
	}
	select {
	case <-s.resized:
	default:
	}
	s.resized <- Size{Columns: uint16(req.Columns), Rows: uint16(req.Rows)}
}
