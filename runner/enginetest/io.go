package enginetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"boathook/runner"
)

// connected runs a one-off with the given streams.
func (f *fixture) connected(t *testing.T, command string, with runner.IO) runner.Exit {
	t.Helper()
	exit, err := f.engine.Run(f.ctx, f.spec("one-off", command), with)
	if err != nil {
		t.Fatalf("run %s: %v", command, err)
	}
	return exit
}

// testRunStreams checks that input arrives, that its end does, and that the streams of output are told apart.
func testRunStreams(t *testing.T, f *fixture) {
	var out, stderr buffer
	exit := f.connected(t, "while read -r line; do echo got $line; echo err $line >&2; done; exit 3", runner.IO{In: strings.NewReader("one\ntwo\n"), Out: &out, Err: &stderr})
	if exit.Code != 3 || out.String() != "got one\ngot two\n" || stderr.String() != "err one\nerr two\n" {
		t.Errorf("%+v, output %q, errors %q", exit, out.String(), stderr.String())
	}
	f.empty(t)
}

// testRunNoInput checks that a process without input meets its end at once.
func testRunNoInput(t *testing.T, f *fixture) {
	var out buffer
	if exit := f.connected(t, "read -r line; echo status $?", runner.IO{Out: &out}); exit.Code != 0 || out.String() != "status 1\n" {
		t.Errorf("%+v, output %q", exit, out.String())
	}
}

// testRunBytes sends every byte through, and more of them than any pipe or buffer holds.
func testRunBytes(t *testing.T, f *fixture) {
	data := make([]byte, 50<<20)
	chacha := rand.NewChaCha8([32]byte{1})
	if _, err := chacha.Read(data); err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	exit := f.connected(t, "exec cat", runner.IO{In: bytes.NewReader(data), Out: sum})
	if want := sha256.Sum256(data); exit.Code != 0 || !bytes.Equal(sum.Sum(nil), want[:]) {
		t.Errorf("%+v, and what went through is not what was sent", exit)
	}
}

// testRunUnread ends a process that has not read what is there for it, with a reader that never ends.
func testRunUnread(t *testing.T, f *fixture) {
	in, out := io.Pipe()
	defer out.Close()
	if exit := f.connected(t, "exit 4", runner.IO{In: in, Out: io.Discard}); exit.Code != 4 {
		t.Errorf("%+v", exit)
	}
	if exit := f.connected(t, "exit 5", runner.IO{In: zeros{}, Out: io.Discard}); exit.Code != 5 {
		t.Errorf("%+v", exit)
	}
	f.empty(t)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// testRunTerminal checks that the process has a terminal of the right size, which changes and makes a signal of Ctrl-C.
func testRunTerminal(t *testing.T, f *fixture) {
	in, typed := io.Pipe()
	defer typed.Close()
	resized := make(chan runner.Size)
	var out buffer
	done := make(chan error, 1)
	go func() {
		exit, err := f.engine.Run(f.ctx, f.spec("one-off", terminalSession), runner.IO{
			In: in, Out: &out, Terminal: &runner.Terminal{Size: runner.Size{Columns: 81, Rows: 25}, Resized: resized},
		})
		if err == nil && exit.Code != 9 {
			err = fmt.Errorf("%+v", exit)
		}
		done <- err
	}()
	f.eventually(t, "a terminal of 81 columns", out.has("size 81x25 tty"))
	resized <- runner.Size{Columns: 132, Rows: 50}
	f.eventually(t, "a terminal of 132 columns", out.has("size 132x50 tty"))
	if _, err := io.WriteString(typed, "hello\n"); err != nil {
		t.Fatal(err)
	}
	f.eventually(t, "what was typed", out.has("typed hello"))
	if _, err := io.WriteString(typed, "\x03"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("%v; shown: %q", err, out.String())
	}
	if shown := out.String(); !strings.Contains(shown, "interrupted") || strings.Count(shown, "\n") != strings.Count(shown, "\r\n") {
		t.Errorf("shown: %q", shown)
	}
	f.empty(t)
}

// terminalSession tells its terminal's size whenever that has another, until a line is typed; then it waits for Ctrl-C. Bash finds out about the
// size when a program that it has run ends (checkwinsize).
const terminalSession = `trap 'echo interrupted; exit 9' INT
shopt -s checkwinsize
kind=none last= line=
if [ -t 0 ] && [ -t 1 ] && [ -t 2 ]; then kind=tty; fi
while :; do
	cat /dev/null
	if [ "$COLUMNS" != "$last" ]; then last=$COLUMNS; echo "size ${COLUMNS}x$LINES $kind"; fi
	if read -r -t 0.1 part; then line=$line$part; break; fi
	line=$line$part # of a line that comes in pieces
done
echo "typed $line"
while :; do sleep 1; done`

// testRunTerminalCanceled ends a one-off whose terminal nobody looks at any more.
func testRunTerminalCanceled(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	in, typed := io.Pipe()
	defer typed.Close()
	var out buffer
	done := make(chan error, 1)
	go func() {
		_, err := f.engine.Run(ctx, f.spec("one-off", "trap '' HUP INT TERM; echo ready; "+forever), runner.IO{In: in, Out: &out, Terminal: &runner.Terminal{}})
		done <- err
	}()
	f.eventually(t, "one-off is ready", out.has("ready"))
	list := f.list(t, runner.Selector{App: f.app})
	if len(list) != 1 || !list[0].OneOff || !strings.Contains(list[0].Command, "echo ready") {
		t.Errorf("while running: %+v", list)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want one that wraps context.Canceled", err)
	}
	f.empty(t)
}
