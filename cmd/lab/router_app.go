package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
)

// serveApp is the app behind the proxies: ADDRESS. GET or POST of /N is answered with N bytes. It reads no more of HTTP than it needs, so that
// little of the machine goes to it.
func serveApp(ctx context.Context, args []string, _ io.Writer) (map[string]any, error) {
	if len(args) != 1 {
		return nil, errUsage
	}
	listener, err := net.Listen("tcp", args[0])
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	answers := &answers{made: map[string][]byte{}}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return nil, nil // ctx has ended; the connections end with the process
		}
		go func() {
			defer conn.Close()
			answers.serve(conn)
		}()
	}
}

// answers are made once each.
type answers struct {
	mu   sync.Mutex // guards made
	made map[string][]byte
}

func (a *answers) serve(conn net.Conn) {
	r := bufio.NewReaderSize(conn, 32<<10)
	for {
		path, length, last, err := readAsk(r)
		if err != nil {
			return
		}
		if _, err := r.Discard(length); err != nil {
			return
		}
		if _, err := conn.Write(a.to(path)); err != nil || last {
			return
		}
	}
}

// readAsk reads a request's head: its path, how long its body is, and whether it is the last.
func readAsk(r *bufio.Reader) (path string, length int, last bool, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return "", 0, false, err
	}
	if part := bytes.Fields(line); len(part) == 3 {
		path, last = string(part[1]), string(part[2]) == "HTTP/1.0"
	}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil || len(line) <= 2 {
			return path, length, last, err
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return "", 0, false, err
			}
		case bytes.EqualFold(name, []byte("Connection")):
			last = last || bytes.EqualFold(value, []byte("close"))
		}
	}
}

// to is the answer of N bytes to /N.
func (a *answers) to(path string) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.made[path] == nil {
		size, _ := strconv.Atoi(path[min(1, len(path)):])
		head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", size)
		a.made[path] = append([]byte(head), bytes.Repeat([]byte("x"), size)...)
	}
	return a.made[path]
}
