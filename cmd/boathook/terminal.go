package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/term"

	"boathook/receive/command"
)

// lendTerminal gives a command that works a terminal ours, if we have one: each key goes to it as it is typed, until restore. Any other
// is told how wide the terminal is. It is for before the command starts.
func lendTerminal(ctx context.Context, session *gossh.Session, args []string, stdin io.Reader, stdout io.Writer) (restore func(), err error) {
	keys, screen := terminalOf(stdin), terminalOf(stdout)
	if screen < 0 {
		return func() {}, nil
	}
	columns, rows, err := term.GetSize(screen)
	if err != nil {
		return func() {}, nil // then nobody knows
	}
	if keys < 0 || !command.Commands().Raw(args) {
		_ = session.RequestPty("", 0, columns, nil) // the server takes the width and refuses the rest
		return func() {}, nil
	}
	if err := session.RequestPty(os.Getenv("TERM"), rows, columns, nil); err != nil {
		return nil, fmt.Errorf("the terminal was not taken: %w", err)
	}
	before, err := term.MakeRaw(keys)
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	done := follow(ctx, session, screen)
	return func() {
		done()
		_ = term.Restore(keys, before)
	}, nil
}

// follow tells the command when the terminal gets another size, until done.
func follow(ctx context.Context, session *gossh.Session, screen int) (done func()) {
	ctx, stop := context.WithCancel(ctx)
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	var following sync.WaitGroup
	following.Go(func() {
		defer signal.Stop(changed)
		for {
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
			if columns, rows, err := term.GetSize(screen); err == nil {
				_ = session.WindowChange(rows, columns) // the command may have ended
			}
		}
	})
	return func() {
		stop()
		following.Wait()
	}
}

// terminalOf is the descriptor of the terminal that a stream is, -1 if it is none.
func terminalOf(stream any) int {
	file, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return -1
	}
	return int(file.Fd())
}

// widthOf is how many columns the terminal has that a stream is, 0 if it is none.
func widthOf(stream any) int {
	columns, _, err := term.GetSize(terminalOf(stream))
	if err != nil {
		return 0
	}
	return columns
}
