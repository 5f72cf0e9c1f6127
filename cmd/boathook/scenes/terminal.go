package scenes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"
)

// terminalMain runs a command at a real terminal, of 81 columns and 25 rows unless others are wanted, with somebody at it who does what a file
// says, and ends as the command does: terminal [40x25] FILE COMMAND. It prints what was shown. The lines of the file:
//
//	expect TEXT     waits until that is shown, after what was expected before
//	type TEXT       types it, and the key Enter
//	press KEY       presses Ctrl and that key
//	resize 132x50   changes the size
func terminalMain() {
	size, args := pty.Winsize{Cols: 81, Rows: 25}, os.Args[1:]
	if n, _ := fmt.Sscanf(args[0], "%dx%d", &size.Cols, &size.Rows); n == 2 {
		args = args[1:]
	}
	status, err := atTerminal(size, args[0], args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
	os.Exit(status)
}

func atTerminal(size pty.Winsize, file string, command []string, shown io.Writer) (status int, err error) {
	script, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(command[0], command[1:]...)
	tty, err := pty.StartWithSize(cmd, &size)
	if err != nil {
		return 0, err
	}
	defer tty.Close()
	defer time.AfterFunc(patience, func() { _ = cmd.Process.Kill() }).Stop()
	s := &screen{changed: make(chan struct{}, 1)}
	var reading sync.WaitGroup
	reading.Go(func() { io.Copy(s, tty) }) // ends with EIO when the command and its children have ended
	for line := range strings.Lines(string(script)) {
		if err := s.do(tty, strings.TrimSuffix(line, "\n")); err != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			return 0, fmt.Errorf("%q: %w; shown:\n%s", line, err, s.text())
		}
	}
	_ = cmd.Wait() // its status is looked at
	reading.Wait()
	fmt.Fprint(shown, s.text())
	return cmd.ProcessState.ExitCode(), nil
}

// screen is what a terminal has shown.
type screen struct {
	mu      sync.Mutex // guards all
	all     bytes.Buffer
	seen    int // up to where what was expected has come
	changed chan struct{}
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return s.all.Write(p)
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

func (s *screen) shows(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := bytes.Index(s.all.Bytes()[s.seen:], []byte(text))
	if at >= 0 {
		s.seen += at + len(text)
	}
	return at >= 0
}

func (s *screen) do(tty *os.File, line string) (err error) {
	verb, text, _ := strings.Cut(line, " ")
	switch verb {
	case "expect":
		for late := time.After(patience); !s.shows(text); {
			select {
			case <-s.changed:
			case <-late:
				return fmt.Errorf("not shown")
			}
		}
	case "type":
		_, err = io.WriteString(tty, text+"\r")
	case "press":
		_, err = tty.Write([]byte{text[0] & 0x1f})
	case "resize":
		var size pty.Winsize
		if _, err = fmt.Sscanf(text, "%dx%d", &size.Cols, &size.Rows); err == nil {
			err = pty.Setsize(tty, &size)
		}
	default:
		err = fmt.Errorf("no such step")
	}
	return err
}

// colour is what a table has in it that takes no room.
var colour = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// cmdNarrow wants several lines in what was shown, none of which is wider than so many characters, and nothing that drives a terminal but
// colours: narrow FILE WIDTH.
func cmdNarrow(ts *testscript.TestScript, neg bool, args []string) {
	width, err := strconv.Atoi(args[1])
	ts.Check(err)
	lines := 0
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		line = colour.ReplaceAllString(strings.TrimRight(line, "\r\n"), "")
		if n := utf8.RuneCountInString(line); n > width || strings.ContainsFunc(line, unicode.IsControl) {
			ts.Fatalf("%d characters for a terminal of %d: %q", n, width, line)
		}
		lines++
	}
	if lines < 2 {
		ts.Fatalf("no table is shown: %q", ts.ReadFile(args[0]))
	}
}

// cmdWhole wants one JSON document in what was shown: whole FILE.
func cmdWhole(ts *testscript.TestScript, neg bool, args []string) {
	if shown := ts.ReadFile(args[0]); !json.Valid([]byte(shown)) {
		ts.Fatalf("not one JSON document: %q", shown)
	}
}
