package router_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"boathook/router"
)

// ok is what a tape answers if it is not told otherwise.
const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// manner is how an app answers.
type manner struct {
	answers []string // in turn, one a request, the last again and again; ok if there are none
	hangUp  bool     // close the connection after an answer
	hasty   bool     // answer at the end of a head, and never read the body as one
}

// tape is an app on raw connections that notes every byte it gets as part of one well-formed request, or as a fault.
type tape struct {
	manner
	listener net.Listener
	conns    sync.WaitGroup

	mu       sync.Mutex // guards what follows, and answers
	open     map[net.Conn]bool
	requests []message
	faults   []string // what is not one well-formed request, or what net/http reads otherwise
	cut      int      // requests that broke off
}

func newTape(t testing.TB, m manner) *tape {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if m.answers == nil {
		m.answers = []string{ok}
	}
	a := &tape{manner: m, listener: listener, open: map[net.Conn]bool{}}
	a.conns.Go(a.accept)
	t.Cleanup(a.stop)
	return a
}

func (a *tape) target() router.Target {
	return router.Target{Name: "web-1", Addr: a.listener.Addr().String()}
}

func (a *tape) accept() {
	for {
		conn, err := a.listener.Accept()
		if err != nil {
			return
		}
		a.mu.Lock()
		a.open[conn] = true
		a.mu.Unlock()
		a.conns.Go(func() { a.serve(conn) })
	}
}

func (a *tape) serve(conn net.Conn) {
	defer func() {
		a.mu.Lock()
		delete(a.open, conn)
		a.mu.Unlock()
		_ = conn.Close()
	}()
	var raw bytes.Buffer
	r := bufio.NewReader(io.TeeReader(conn, &raw))
	if a.hasty {
		if _, err := readHead(r); err == nil {
			_, _ = io.WriteString(conn, a.answers[0])
		}
		_, _ = io.Copy(io.Discard, conn)
		return
	}
	for {
		m, err := readRequest(r)
		exact := bytes.Clone(raw.Bytes()[:raw.Len()-r.Buffered()])
		raw.Next(len(exact))
		answer, more := a.note(m, err, exact)
		if _, err := io.WriteString(conn, answer); err != nil || !more || a.hangUp {
			return
		}
	}
}

// note writes down what came, and says what to answer and whether to go on.
func (a *tape) note(m message, err error, exact []byte) (answer string, more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	bad := fault("")
	switch {
	case errors.As(err, &bad):
		a.faults = append(a.faults, string(bad)+" in "+string(exact))
		return "", false
	case err == io.EOF:
		return "", false
	case err != nil:
		a.cut++
		return "", false
	}
	if why := differs(m, exact); why != "" {
		a.faults = append(a.faults, why+" in "+string(exact))
	}
	a.requests = append(a.requests, m)
	return a.answers[min(len(a.requests), len(a.answers))-1], true
}

// differs says where net/http reads something else than m in the bytes that m was read from.
func differs(m message, exact []byte) string {
	r := bufio.NewReaderSize(bytes.NewReader(exact), len(exact))
	req, err := http.ReadRequest(r)
	if err != nil {
		return "net/http: " + err.Error()
	}
	body, err := io.ReadAll(req.Body)
	part := strings.Split(m.start, " ")
	switch {
	case err != nil:
		return "net/http, of the body: " + err.Error()
	case r.Buffered() > 0:
		return "net/http sees an end before the end"
	case req.Method != part[0] || req.RequestURI != part[1] || string(body) != m.body:
		return "net/http sees " + req.Method + " " + req.RequestURI
	case req.Host != values(m.fields, "Host")[0]:
		return "net/http sees the host " + req.Host
	case (req.TransferEncoding != nil) != (m.framing == chunked) || (req.ContentLength > 0) != (m.body != "" && m.framing == sized):
		return "net/http sees another framing"
	}
	return ""
}

// await polls until nobody is connected any more: what the app will ever get, it has got. Before that it sees to it that all who have connected are known,
// by a connection of its own, which is accepted after theirs.
func (a *tape) await(t testing.TB) {
	t.Helper()
	last, err := net.Dial("tcp", a.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer last.Close()
	_ = last.SetDeadline(time.Now().Add(patience))
	if err := last.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, last); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		a.mu.Lock()
		n := len(a.open)
		a.mu.Unlock()
		if n == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections to the app are still open", n)
		}
	}
}

// saw tells the complete requests.
func (a *tape) saw() (lines []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.requests {
		lines = append(lines, m.request())
	}
	return lines
}

func (a *tape) stop() {
	_ = a.listener.Close()
	a.mu.Lock()
	for conn := range a.open {
		_ = conn.Close()
	}
	a.mu.Unlock()
	a.conns.Wait()
}
