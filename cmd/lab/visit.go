package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// visitor is a client on one connection. It does not hide what http.Client does, which tries again when a connection was closed.
type visitor struct {
	conn   net.Conn
	reader *bufio.Reader
	host   string
}

// visit connects to the router at addr for requests to host.
func visit(addr, host string) (*visitor, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &visitor{conn: conn, reader: bufio.NewReader(conn), host: host}, nil
}

func (v *visitor) close() { _ = v.conn.Close() }

// get makes one request and returns the trimmed body. Any status but 200 is an error, after which the connection is of no more use.
func (v *visitor) get() (string, error) {
	if err := v.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(v.conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", v.host); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(v.reader, nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", resp.Status, body)
	}
	return strings.TrimSpace(string(body)), nil
}
