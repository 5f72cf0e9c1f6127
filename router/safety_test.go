package router_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"boathook/router"
)

// ordeal is one case of the safety tables: what a client sends, and what must come of it.
type ordeal struct {
	name   string
	client string // sent as it stands, over TLS too, and once more byte by byte
	result
	end    bool     // the client ends its side after that
	app    []string // what the app answers, in turn; ok if nil
	hangUp bool     // the app closes the connection after an answer
	hasty  bool     // the app answers before the body
	rules  func(*router.Route)
}

// result is exact.
type result struct {
	saw  []string // complete requests that the app got, as message.request tells them
	back []string // answers that the client got, as reply tells them
	kept bool     // whether the client's connection takes another request afterwards
}

// refused is the result of what the router answers itself, before the app has seen any of it.
func refused(status int) result { return result{back: []string{strconv.Itoa(status)}} }

// passed is the result of requests that the app gets, and answers with ok.
func passed(requests ...string) result {
	return result{saw: requests, back: slices.Repeat([]string{"200 ok"}, len(requests)), kept: true}
}

// closing is what r is if the connection is closed after the last answer.
func (r result) closing() result {
	r.kept = false
	return r
}

// then is what r is if the next message is refused.
func (r result) then(status int) result {
	return result{saw: r.saw, back: append(r.back, strconv.Itoa(status))}
}

// smuggled is a request that hides behind others. The app must see it only where it stands as a request of its own.
const smuggled = "GET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n"

// head is a request line and fields.
func head(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n\r\n" }

// get and post are requests with a Host and those fields.
func get(fields ...string) string {
	return head(append([]string{"GET / HTTP/1.1", "Host: shop.test"}, fields...)...)
}

func post(fields ...string) string {
	return head(append([]string{"POST / HTTP/1.1", "Host: shop.test"}, fields...)...)
}

func TestSafety(t *testing.T) {
	tables := []struct {
		name string
		rows []ordeal
	}{{"framing", framings}, {"chunks", chunkings}, {"lines", requestLines}, {"targets", targets}, {"hosts", hosts}, {"fields", fieldLines},
		{"hops", hops}, {"sizes", sizes}, {"pipelines", pipelines}, {"ends", ends}, {"answers", answers}, {"redirects", redirects}}
	secured := unknownTLS(t)
	for _, table := range tables {
		t.Run(table.name, func(t *testing.T) {
			for _, row := range table.rows {
				row.start(t, "", nil, len(row.client))
				row.start(t, ", over TLS", secured, len(row.client))
				if len(row.client) < 1000 {
					row.start(t, ", byte by byte", nil, 1)
				}
			}
		})
	}
}

func (o ordeal) start(t *testing.T, how string, secured *tls.Config, piece int) {
	t.Run(o.name+how, func(t *testing.T) {
		t.Parallel()
		o.run(t, secured, piece)
	})
}

// run sends in pieces, over TLS if secured is not nil.
func (o ordeal) run(t *testing.T, secured *tls.Config, piece int) {
	a := newTape(t, manner{o.app, o.hangUp, o.hasty})
	log := &journal{}
	dial, shut := newGate(t, router.Config{Log: log.logger()}, a, secured, o.rules)
	got := o.talk(t, dial(), piece)
	shut()
	a.await(t)
	got.saw = a.saw()
	if last := len(got.saw) - 1; last >= 0 && got.saw[last] == kept {
		got.saw = got.saw[:last]
	}
	if diff := cmp.Diff(o.result, got, cmp.AllowUnexported(result{}), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	for _, fault := range a.faults {
		t.Errorf("the app got %s", fault)
	}
	if lines := log.blame(); o.app == nil && lines != nil {
		t.Errorf("the app was blamed: %q", lines)
	}
	for _, m := range a.requests {
		checkRoutine(t, m, secured != nil)
	}
}

// checkRoutine looks at the fields that no client may influence.
func checkRoutine(t *testing.T, m message, secure bool) {
	t.Helper()
	proto := "http"
	if secure {
		proto = "https"
	}
	for name, want := range map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "X-Forwarded-Proto": proto} {
		if diff := cmp.Diff([]string{want}, values(m.fields, name)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, name := range []string{"X-Forwarded-Port", "X-Request-ID", "X-Request-Start"} {
		if got := values(m.fields, name); len(got) != 1 || got[0] == "" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// talk is the client's side.
func (o ordeal) talk(t *testing.T, conn halfCloser, piece int) (got result) {
	defer conn.Close()
	sent := make(chan error, 1)
	go func() { sent <- dribble(conn, o.client, piece, o.end) }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	r, method := bufio.NewReader(conn), o.client[:max(0, strings.IndexByte(o.client, ' '))]
	for _, want := range o.back {
		answer, err := reply(r, method)
		if err != nil {
			t.Errorf("after %q: %v", got.back, err)
			return got
		}
		if got.back = append(got.back, answer); answer != want || answer == "cut" {
			return got
		}
	}
	if err := <-sent; err != nil && o.kept {
		t.Errorf("sending: %v", err)
	}
	got.kept = keeps(t, conn, r, o.kept)
	return got
}

// dribble writes text in pieces.
func dribble(conn halfCloser, text string, piece int, end bool) error {
	for i := 0; i < len(text); i += piece {
		if _, err := io.WriteString(conn, text[i:min(i+piece, len(text))]); err != nil {
			return err
		}
	}
	if end {
		return conn.CloseWrite()
	}
	return nil
}

// patience is how long a connection may take to do what it should.
const patience = 20 * time.Second

// kept is the request that keeps sends.
const kept = "GET /kept shop.test"

// keeps tells whether the connection is open, by a request if it should be, else by waiting for its end.
func keeps(t *testing.T, conn net.Conn, r *bufio.Reader, expected bool) bool {
	if expected {
		if _, err := io.WriteString(conn, "GET /kept HTTP/1.1\r\nHost: shop.test\r\n\r\n"); err != nil {
			return false
		}
		answer, err := reply(r, "GET")
		return err == nil && answer != "cut"
	}
	more, err := io.ReadAll(r)
	if len(more) > 0 {
		t.Errorf("another %q came back", more)
	}
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// reply is an answer in one line: the status and, if it is the app's, its fields, its body and its trailers; "cut" for one that breaks
// off, and where to for a redirect.
func reply(r *bufio.Reader, method string) (string, error) {
	m, err := readResponse(r, method)
	bad := fault("")
	switch {
	case errors.As(err, &bad), errors.Is(err, os.ErrDeadlineExceeded):
		return "", err
	case err != nil:
		return "cut", nil
	}
	words := []string{strconv.Itoa(m.status())}
	if m.status() >= 400 {
		return words[0], nil
	}
	if to := values(m.fields, "Location"); len(to) == 1 && (m.status() == 301 || m.status() == 308) {
		return to[0], nil
	}
	for _, word := range plain(m.fields) {
		if name, _, _ := strings.Cut(word, "="); name != "date" && name != "content-type" {
			words = append(words, word)
		}
	}
	if m.body != "" {
		words = append(words, m.body)
	}
	return strings.Join(append(words, plain(m.trailers)...), " "), nil
}
