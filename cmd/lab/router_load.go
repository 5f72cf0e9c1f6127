package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// seen is what clients saw in some turns.
type seen struct {
	Requests int
	P50, P99 time.Duration
}

// loadReport is what clients saw in all turns that count: in those without a rate, and in those with one.
type loadReport struct{ Full, Paced seen }

// load is the client's side: each connection sends a request when it has the answer to the last.
type load struct {
	addr, path     string
	body, hosts    int
	closes, secure bool
	connections    int
	requests       [][]byte // one for each host
	callers        []*caller
	full, paced    []time.Duration // how long requests have taken in the turns that count
}

// runLoad takes turns, which it reads from its standard input, and reports at its end.
func runLoad(ctx context.Context, args []string, out io.Writer) (map[string]any, error) {
	l := &load{}
	fs := flag.NewFlagSet("lab router load", flag.ContinueOnError)
	fs.StringVar(&l.addr, "addr", "", "address of the proxy")
	fs.StringVar(&l.path, "path", "/2", "the number of bytes to ask for")
	fs.IntVar(&l.body, "body", 0, "bytes to send")
	fs.IntVar(&l.hosts, "hosts", 0, "hosts to ask in turn; 0 for the one of the other cases")
	fs.BoolVar(&l.closes, "close", false, "a connection a request")
	fs.BoolVar(&l.secure, "tls", false, "with TLS")
	fs.IntVar(&l.connections, "connections", 32, "how many")
	if err := fs.Parse(args); err != nil {
		return nil, errUsage
	}
	if l.hosts == 0 {
		l.requests = [][]byte{l.compose(routerHost)}
	}
	for n := range l.hosts {
		l.requests = append(l.requests, l.compose(hostName(n)))
	}
	for n := range l.connections {
		l.callers = append(l.callers, &caller{load: l, next: n})
	}
	answers := json.NewEncoder(out)
	for turns := json.NewDecoder(os.Stdin); ; {
		var t turn
		err := turns.Decode(&t)
		if errors.Is(err, io.EOF) {
			return map[string]any{"Full": summary(l.full), "Paced": summary(l.paced)}, nil
		}
		requests := 0
		if err == nil {
			requests, err = l.take(ctx, t)
		}
		if err == nil {
			err = answers.Encode(requests)
		}
		if err != nil {
			return nil, err
		}
	}
}

// take has all clients take a turn.
func (l *load) take(ctx context.Context, t turn) (requests int, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.Length)
	defer cancel()
	took := make([][]time.Duration, len(l.callers))
	var clients errgroup.Group
	for n, c := range l.callers {
		pace := t.pace(n, len(l.callers))
		clients.Go(func() (err error) {
			took[n], err = c.take(ctx, pace)
			return err
		})
	}
	err = clients.Wait()
	all := slices.Concat(took...)
	switch {
	case t.Counts && t.Rate == 0:
		l.full = append(l.full, all...)
	case t.Counts:
		l.paced = append(l.paced, all...)
	}
	return len(all), err
}

func summary(took []time.Duration) seen {
	if len(took) == 0 {
		return seen{}
	}
	slices.Sort(took)
	at := func(share float64) time.Duration { return took[int(share*float64(len(took)-1))] }
	return seen{len(took), at(0.5), at(0.99)}
}

// caller is a client with its connection, nil while there is none.
type caller struct {
	*load
	line *line
	next int // the host that it asks next
}

// take sends one request after the other until ctx ends.
func (c *caller) take(ctx context.Context, pace *pace) (took []time.Duration, err error) {
	for ctx.Err() == nil {
		begin := pace.next()
		if err := c.ask(); err != nil {
			return took, err
		}
		took = append(took, time.Since(begin))
		if c.closes {
			_ = c.line.Close()
			c.line = nil
		}
	}
	return took, nil
}

// ask sends a request, and returns when the answer is there.
func (c *caller) ask() (err error) {
	if c.line == nil {
		if c.line, err = dialLine(c.addr, c.secure); err != nil {
			return err
		}
	}
	request := c.requests[c.next%len(c.requests)]
	c.next += c.connections
	return c.line.exchange(request)
}

// pace is when a client sends its requests.
type pace struct {
	due   time.Time
	every time.Duration // 0: at once
}

// pace has client n of so many send its requests one after the others'.
func (t turn) pace(n, clients int) *pace {
	if t.Rate == 0 {
		return &pace{}
	}
	every := time.Second * time.Duration(clients) / time.Duration(t.Rate)
	return &pace{time.Now().Add(every * time.Duration(n) / time.Duration(clients)), every}
}

// next waits for the time of the next request and returns from when on its answer is late: a client that still had to wait for the answer before
// does not begin to count only then, and one whose timer was late does not count that.
func (p *pace) next() time.Time {
	now := time.Now()
	if p.every == 0 {
		return now
	}
	due := p.due
	p.due = due.Add(p.every)
	if wait := due.Sub(now); wait > 0 {
		time.Sleep(wait)
		return time.Now()
	}
	return due
}

// compose is a request of about the size that browsers send.
func (l *load) compose(host string) []byte {
	method, framing := "GET", ""
	if l.body > 0 {
		method, framing = "POST", fmt.Sprintf("Content-Length: %d\r\n", l.body)
	}
	if l.closes {
		framing += "Connection: close\r\n"
	}
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n"+
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: text/html,application/xhtml+xml,*/*;q=0.8\r\n"+
		"Accept-Language: en-US,en;q=0.5\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n%s\r\n", method, l.path, host, framing)
	return append([]byte(head), strings.Repeat("x", l.body)...)
}

// line is a client's connection.
type line struct {
	net.Conn
	r *bufio.Reader
}

func dialLine(addr string, secure bool) (*line, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	if secure { // the certificate is one that the lab has made
		secured := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		if err := secured.Handshake(); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		conn = secured
	}
	return &line{conn, bufio.NewReaderSize(conn, 64<<10)}, nil
}

// exchange sends a request and reads the answer, which has to be 200 with a length.
func (c *line) exchange(request []byte) error {
	if _, err := c.Write(request); err != nil {
		return err
	}
	status, err := c.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("the answer was %q", status)
	}
	length := -1
	for {
		field, err := c.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(field) <= 2 {
			break
		}
		if name, value, _ := bytes.Cut(field, []byte(":")); bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("the answer has no length")
	}
	_, err = c.r.Discard(length)
	return err
}
