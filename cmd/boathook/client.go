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
	"sync"

	gossh "golang.org/x/crypto/ssh"

	"boathook/receive/command"
)

// manage runs a management command on the server of this machine. Without one there is still help, and a wrong word is told.
func manage(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	table := command.Commands()
	known := slices.ContainsFunc(table, func(c command.Command) bool { return c.Name == args[0] })
	if args[0] == "help" || !known {
		return table.Run(ctx, &command.Call{Args: args, Stdout: stdout, Stderr: stderr, Width: widthOf(stdout)})
	}
	args, key, err := openKey(args)
	var pair io.Reader
	if err == nil {
		args, pair, err = openCertificate(args)
	}
	if err != nil {
		fmt.Fprintln(stderr, "boathook:", err)
		return 1
	}
	if key != nil {
		defer key.Close()
		stdin = key
	}
	if pair != nil {
		stdin = pair
	}
	return request(ctx, socket(cmp.Or(os.Getenv("BOATHOOK_DATA"), defaultData())), args, stdin, stdout, stderr)
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
	line, err := command.Join(args)
	if err != nil {
		return 0, err
	}
	client, end, err := dialAdmin(ctx, socket)
	if err != nil {
		return 0, err
	}
	defer end()
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
	restore, err := lendTerminal(ctx, session, args, stdin, stdout)
	if err != nil {
		return 0, err
	}
	defer restore()
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

// dialAdmin connects to the boathook that serves the socket, as long as ctx lasts and until end is called.
func dialAdmin(ctx context.Context, socket string) (client *gossh.Client, end func(), err error) {
	raw, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, nil, fmt.Errorf("no server: %w: start one with 'boathook serve', or set BOATHOOK_DATA to the data directory of the one that runs", err)
	}
	detach := context.AfterFunc(ctx, func() { raw.Close() })
	// A host key would say nothing that the kernel has not said: the socket lies in a directory that only its owner may
	// write, so whoever answers is the server.
	conn, channels, requests, err := gossh.NewClientConn(raw, socket, &gossh.ClientConfig{User: "git", HostKeyCallback: gossh.InsecureIgnoreHostKey()})
	if err != nil {
		detach()
		raw.Close()
		return nil, nil, fmt.Errorf("admin socket: %w", err)
	}
	return gossh.NewClient(conn, channels, requests), func() {
		detach()
		conn.Close()
	}, nil
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
