package router_test

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"boathook/router"
)

// parting is the answer of an app that closes every connection, so that all it got from one client can be told from what others sent.
const parting = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"

// FuzzForward sends arbitrary bytes. What of them reaches the app are requests that the strict reader and net/http read alike, byte for byte
// (see tape), and that net/http reads in the client's own bytes too, in that order; what comes back are well-formed answers, and the app is to
// blame for nothing.
func FuzzForward(f *testing.F) {
	for _, table := range [][]ordeal{framings, chunkings, requestLines, targets, hosts, fieldLines, hops, pipelines, ends} {
		for _, row := range table {
			f.Add([]byte(row.client))
		}
	}
	comparison := newComparison(f)
	f.Fuzz(comparison.check)
}

// FuzzTokens is FuzzForward with requests made of the words that matter: a byte stands for each.
func FuzzTokens(f *testing.F) {
	words := []string{"GET / HTTP/1.1\r\nHost: shop.test\r\n", "POST / HTTP/1.1\r\nHost: shop.test\r\n", "HEAD", "CONNECT", "OPTIONS", " ", "/", "*",
		"http://shop.test/", "?", "#", "%41", "HTTP/1.0", "HTTP/1.1", "\r\n", "\r\n\r\n", "\r", "\n", "\t", "\x00", "\v", ":", ": ", ";", ",", "\"", "\xff",
		"Host: shop.test\r\n", "Content-Length: ", "Content-Length: 5\r\n", "Transfer-Encoding: ", "Transfer-Encoding: chunked\r\n", "chunked", "identity", "gzip",
		"Connection: ", "close", "keep-alive", "Upgrade", "Upgrade: websocket\r\n", "Expect: 100-continue\r\n", "Trailer: ", "TE: trailers\r\n", "X-A: b\r\n",
		"0", "1", "5", "a", "+", "-", "0x", "hello", "5\r\nhello\r\n", "0\r\n\r\n", "0\r\n", smuggled, get(), post("Content-Length: 5") + "hello"}
	f.Add([]byte{0, 15, 1, 29, 15, 51, 1, 31, 15, 52, 53})
	comparison := newComparison(f)
	f.Fuzz(func(t *testing.T, picks []byte) {
		var sent []byte
		for _, pick := range picks[:min(len(picks), 64)] {
			sent = append(sent, words[int(pick)%len(words)]...)
		}
		comparison.check(t, sent)
	})
}

// comparison is between what clients send and what the app gets.
type comparison struct {
	app  *tape
	log  *journal
	dial func() halfCloser
}

func newComparison(f *testing.F) *comparison {
	c := &comparison{app: newTape(f, manner{answers: []string{parting}, hangUp: true}), log: &journal{}}
	c.dial, _ = newGate(f, router.Config{Log: c.log.logger(), MaxBody: 64 << 10, FirstByte: time.Second, Idle: time.Second}, c.app, nil)
	return c
}

func (c *comparison) check(t *testing.T, sent []byte) {
	conn := c.dial()
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	go func() { _ = dribble(conn, string(sent), max(1, len(sent)), true) }()
	checkReplies(t, bufio.NewReader(conn), sent)
	c.app.await(t)
	requests, faults := c.app.rewind()
	for _, fault := range faults {
		t.Errorf("the app got %s", fault)
	}
	if lines := c.log.blame(); lines != nil {
		t.Errorf("the app was blamed: %q", lines)
	}
	meant := readAll(sent)
	for _, m := range requests {
		got := identity(m.start, values(m.fields, "Host")[0], m.body)
		at := slices.Index(meant, got)
		if at < 0 {
			t.Fatalf("of %q the app got %q, net/http reads %q", sent, got, meant)
		}
		meant = meant[at+1:]
	}
}

// rewind returns what was noted, and forgets it.
func (a *tape) rewind() (requests []message, faults []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	requests, faults = a.requests, a.faults
	a.requests, a.faults = nil, nil
	return requests, faults
}

// checkReplies reads answers up to the end of the connection. A HEAD among the requests makes them ambiguous.
func checkReplies(t *testing.T, r *bufio.Reader, sent []byte) {
	t.Helper()
	bad, ambiguous := fault(""), strings.Contains(string(sent), "HEAD ")
	for {
		_, err := readResponse(r, "GET")
		switch {
		case errors.As(err, &bad) && !ambiguous:
			t.Fatalf("the client got %s", bad)
		case errors.Is(err, os.ErrDeadlineExceeded):
			t.Fatal("the connection is still open")
		case err != nil:
			_, _ = io.Copy(io.Discard, r)
			return
		}
	}
}

// identity is what two readers of a request must agree on; an absolute target is the path in it.
func identity(line, host, body string) string {
	part := strings.SplitN(line, " ", 3)
	target := part[1]
	if _, rest, ok := strings.Cut(target, "://"); ok && target[0] != '/' {
		_, path, _ := strings.Cut(rest, "/")
		target = "/" + path
	}
	return part[0] + " " + target + " " + strings.ToLower(host) + " " + body
}

// readAll is what net/http reads, up to the first error. Like the router it ignores empty lines before a request (RFC 9112, 2.2).
func readAll(sent []byte) (requests []string) {
	r := bufio.NewReader(strings.NewReader(string(sent)))
	for {
		for start, _ := r.Peek(2); string(start) == "\r\n"; start, _ = r.Peek(2) {
			_, _ = r.Discard(2)
		}
		req, err := http.ReadRequest(r)
		if err != nil {
			return requests
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return requests
		}
		requests = append(requests, identity(req.Method+" "+req.RequestURI+" ", req.Host, string(body)))
	}
}

// FuzzAnswer lets the app answer with arbitrary bytes. What the client gets is one well-formed answer, the one that net/http reads in the app's
// bytes or the router's own, or one that breaks off.
func FuzzAnswer(f *testing.F) {
	for _, row := range answers {
		if row.app != nil {
			f.Add([]byte(row.app[0]))
		}
	}
	a := newTape(f, manner{hangUp: true})
	dial, _ := newGate(f, router.Config{FirstByte: time.Second, Idle: time.Second, Probe: time.Millisecond}, a, nil)
	f.Fuzz(func(t *testing.T, answer []byte) {
		a.say(string(answer))
		conn := dial()
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		_ = dribble(conn, get("Connection: close"), len(smuggled), false)
		got, err := finalResponse(bufio.NewReader(conn))
		a.await(t)
		if bad := fault(""); errors.As(err, &bad) {
			t.Fatalf("the client got %s", bad)
		}
		if err != nil || values(got.fields, "X-Scalingo-Error") != nil {
			return
		}
		status, body, err := finalOf(answer)
		if err != nil || status != got.status() || body != got.body {
			t.Fatalf("the client got %d %q, net/http reads %d %q %v", got.status(), got.body, status, body, err)
		}
	})
}

// say changes the answer.
func (a *tape) say(answer string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers = []string{answer}
}

// finalResponse reads an answer behind any interim ones, and the end of the connection. An io.ErrUnexpectedEOF is one that broke off.
func finalResponse(r *bufio.Reader) (message, error) {
	for {
		m, err := readResponse(r, "GET")
		if err != nil || m.status() >= 200 || m.status() == 101 {
			if more, _ := io.ReadAll(r); err == nil && len(more) > 0 {
				err = faultf("%q after the answer", more)
			}
			return m, err
		}
	}
}

// finalOf is the first answer that is not interim, as net/http reads it.
func finalOf(answer []byte) (status int, body string, err error) {
	r := bufio.NewReader(strings.NewReader(string(answer)))
	for {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return 0, "", err
		}
		if res.StatusCode < 200 {
			continue
		}
		text, err := io.ReadAll(res.Body)
		return res.StatusCode, string(text), err
	}
}
