package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
	"mvdan.cc/sh/v3/syntax"

	"boathook/receive/command"
)

// manage runs a management command on the server of this machine. Without one there is still help, and a wrong word is told.
func manage(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	table := command.Commands()
	known := slices.ContainsFunc(table, func(c command.Command) bool { return c.Name == args[0] })
	if args[0] == "help" || !known {
		return table.Run(ctx, &command.Call{Args: args, Stdout: stdout, Stderr: stderr})
	}
	args, in, err := openKey(args, io.NopCloser(stdin))
	if err != nil {
		fmt.Fprintln(stderr, "boathook:", err)
		return 1
	}
	defer in.Close()
	return request(ctx, socket(cmp.Or(os.Getenv("BOATHOOK_DATA"), defaultData())), args, in, stdout, stderr)
}

// request runs a command on the boathook that serves the socket and returns its exit status; 1 if none answers.
func request(ctx context.Context, socket string, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	status, err := requestStatus(ctx, socket, args, stdin, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "boathook:", err)
		return 1
	}
	return status
}

func requestStatus(ctx context.Context, socket string, args []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	line, err := quote(args)
	if err != nil {
		return 0, err
	}
	raw, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return 0, fmt.Errorf("no server: %w: start one with 'boathook serve', or set BOATHOOK_DATA to the data directory of the one that runs", err)
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	// A host key would say nothing that the kernel has not said: the socket lies in a directory that only its owner may
	// write, so whoever answers is the server.
	conn, channels, requests, err := gossh.NewClientConn(raw, socket, &gossh.ClientConfig{User: "git", HostKeyCallback: gossh.InsecureIgnoreHostKey()})
	if err != nil {
		return 0, fmt.Errorf("admin socket: %w", err)
	}
	client := gossh.NewClient(conn, channels, requests)
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return 0, fmt.Errorf("admin socket: %w", err)
	}
	// The session copies the two streams at once, and they may be one writer.
	var writing sync.Mutex
	session.Stdout, session.Stderr = &taking{&writing, stdout}, &taking{&writing, stderr}
	in, err := session.StdinPipe()
	if err != nil {
		return 0, err
	}
	if columns := terminalWidth(stdout); columns > 0 {
		_ = session.RequestPty("", 0, columns, nil) // the server takes the width and refuses the rest
	}
	if err := session.Start(line); err != nil {
		return 0, fmt.Errorf("admin socket: %w", err)
	}
	// Nobody waits for this one: a read from a terminal ends with the next key only, and the command may not want it.
	go func() {
		io.Copy(in, stdin) // a broken pipe shows in Wait
		in.Close()
	}()
	return exitStatus(ctx, session.Wait())
}

func exitStatus(ctx context.Context, err error) (int, error) {
	var exit *gossh.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &exit):
		return exit.ExitStatus(), nil
	case ctx.Err() != nil:
		return 0, errors.New("interrupted")
	default:
		return 0, fmt.Errorf("the server went away before the command had ended: %w", err)
	}
}

// terminalWidth is the columns of the terminal that out is, 0 if it is none.
func terminalWidth(out io.Writer) int {
	file, ok := out.(*os.File)
	if !ok {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}

// quote makes one line of args, which the server splits into the same args.
func quote(args []string) (string, error) {
	words := make([]string, len(args))
	for i, arg := range args {
		word, err := syntax.Quote(arg, syntax.LangBash)
		if err != nil {
			return "", fmt.Errorf("argument %d: %w", i+1, err)
		}
		words[i] = word
	}
	return strings.Join(words, " "), nil
}

// taking is a writer that takes turns with others by a mutex.
type taking struct {
	mu *sync.Mutex
	w  io.Writer
}

func (t *taking) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.w.Write(p)
}
