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
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// cost is what a measurement found.
type cost struct {
	cpu      time.Duration // of the proxy per 1,000 requests, as many as it takes
	p50, p99 time.Duration // at the case's rate
	full99   time.Duration // p99 with as many requests as it takes, where proxy, app and clients wait for each other's turns
	requests int           // that it took
}

// load sends requests through r for a while, as many as it takes, and then as many a second as the case's rate is, unless that is not known yet.
func (r *rival) load(ctx context.Context, c routerCase, connections, rate int, duration time.Duration) (cost, error) {
	before, err := cpuOf(r.process.Process.Pid)
	if err != nil {
		return cost{}, err
	}
	full, err := r.send(ctx, c, connections, 0, duration)
	if err != nil {
		return cost{}, err
	}
	after, err := cpuOf(r.process.Process.Pid)
	if err != nil {
		return cost{}, err
	}
	found := cost{cpu: (after - before) * 1000 / time.Duration(full.Requests+full.Before), full99: full.P99, requests: full.Requests}
	if rate > 0 {
		paced, err := r.send(ctx, c, connections, rate, duration)
		if err != nil {
			return cost{}, err
		}
		found.p50, found.p99 = paced.P50, paced.P99
	}
	return found, nil
}

// seen is what clients saw.
type seen struct {
	Before   int // requests that made the connections, those of the proxy to the app too; they count as nothing else
	Requests int
	P50, P99 time.Duration
}

// send has clients in a process of their own send requests through r.
func (r *rival) send(ctx context.Context, c routerCase, connections, rate int, duration time.Duration) (seen, error) {
	self, err := os.Executable()
	if err != nil {
		return seen{}, err
	}
	args := append([]string{"router", "load", "-addr", r.ports[c.door], "-connections", strconv.Itoa(connections), "-duration", duration.String(), "-rate", strconv.Itoa(rate)},
		c.load...)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stderr = os.Stderr
	report, err := cmd.Output()
	if err != nil {
		return seen{}, err
	}
	var s seen
	if err := json.Unmarshal(report, &s); err != nil || s.Requests == 0 {
		return seen{}, fmt.Errorf("the load reports %q: %w", report, err)
	}
	return s, nil
}

// warmth is how many requests each client sends before the measurement.
const warmth = 3

// load is the client's side: each connection sends a request when it has the answer to the last.
type load struct {
	addr, path     string
	body, hosts    int
	closes, secure bool
	connections    int
	rate           int
	duration       time.Duration
	requests       [][]byte // one for each host

	warming sync.WaitGroup // clients that are not ready yet
	begun   chan struct{}  // closed when all are

	mu        sync.Mutex // guards what follows
	latencies []time.Duration
	errs      []error
}

// runLoad reports the number of requests and how long they took, in nanoseconds.
func runLoad(ctx context.Context, args []string, _ io.Writer) (map[string]any, error) {
	l := &load{begun: make(chan struct{})}
	fs := flag.NewFlagSet("lab router load", flag.ContinueOnError)
	fs.StringVar(&l.addr, "addr", "", "address of the proxy")
	fs.StringVar(&l.path, "path", "/2", "the number of bytes to ask for")
	fs.IntVar(&l.body, "body", 0, "bytes to send")
	fs.IntVar(&l.hosts, "hosts", 0, "hosts to ask in turn; 0 for the one of the other cases")
	fs.BoolVar(&l.closes, "close", false, "a connection a request")
	fs.BoolVar(&l.secure, "tls", false, "with TLS")
	fs.IntVar(&l.connections, "connections", 32, "how many")
	fs.IntVar(&l.rate, "rate", 0, "requests a second, on all connections; 0 for as many as are answered")
	fs.DurationVar(&l.duration, "duration", time.Second, "how long")
	if err := fs.Parse(args); err != nil {
		return nil, errUsage
	}
	if l.hosts == 0 {
		l.requests = [][]byte{l.compose(routerHost)}
	}
	for n := range l.hosts {
		l.requests = append(l.requests, l.compose(hostName(n)))
	}
	var clients sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.warming.Add(l.connections)
	for n := range l.connections {
		clients.Go(func() { l.client(ctx, n) })
	}
	l.warming.Wait()
	defer time.AfterFunc(l.duration, cancel).Stop()
	close(l.begun)
	clients.Wait()
	if len(l.errs) > 0 || len(l.latencies) == 0 {
		return nil, fmt.Errorf("%d requests, %d failures: %w", len(l.latencies), len(l.errs), errors.Join(l.errs[:min(1, len(l.errs))]...))
	}
	slices.Sort(l.latencies)
	at := func(share float64) int64 { return int64(l.latencies[int(share*float64(len(l.latencies)-1))]) }
	return map[string]any{"Before": warmth * l.connections, "Requests": len(l.latencies), "P50": at(0.5), "P99": at(0.99)}, nil
}

// client sends one request after the other until ctx ends.
func (l *load) client(ctx context.Context, n int) {
	c := &caller{load: l}
	var err error
	for i := 0; i < warmth && err == nil; i++ {
		_, err = c.ask(n)
	}
	l.warming.Done()
	<-l.begun
	var took []time.Duration
	pace := l.pace(n)
	for i := n; ctx.Err() == nil && err == nil; i += l.connections {
		begin := pace.next()
		var end time.Time
		if end, err = c.ask(i); err == nil {
			took = append(took, end.Sub(begin))
		}
	}
	c.leave()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latencies = append(l.latencies, took...)
	if err != nil {
		l.errs = append(l.errs, err)
	}
}

// caller is a client with its connection, nil while there is none.
type caller struct {
	*load
	line *line
}

// ask sends the request to the host of a turn, and returns when the answer was there.
func (v *caller) ask(turn int) (end time.Time, err error) {
	if v.line == nil {
		if v.line, err = dialLine(v.addr, v.secure); err != nil {
			return end, err
		}
	}
	err = v.line.exchange(v.requests[turn%len(v.requests)])
	end = time.Now()
	if v.closes {
		v.leave()
	}
	return end, err
}

func (v *caller) leave() {
	if v.line != nil {
		_ = v.line.Close()
		v.line = nil
	}
}

// pace is when a client sends its requests.
type pace struct {
	due   time.Time
	every time.Duration // 0: at once
}

// pace has the clients take turns.
func (l *load) pace(n int) *pace {
	if l.rate == 0 {
		return &pace{}
	}
	every := time.Second * time.Duration(l.connections) / time.Duration(l.rate)
	return &pace{time.Now().Add(every * time.Duration(n) / time.Duration(l.connections)), every}
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
