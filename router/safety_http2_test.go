package router_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"boathook/router"
)

// stream is one hostile request over HTTP/2: it must not become anything else when it is written as HTTP/1.1.
type stream struct {
	name   string
	fields []string // "name: value"; a pseudo field takes the place of the usual one
	body   string
	late   bool     // the body, or the second half of it where its length is not told as 0, comes when the router has had time to pass the request on
	saw    []string // requests that the app got
	back   string   // the status, or "reset" for the stream or "gone" for the connection
}

var streams = []stream{
	{name: "plain", fields: []string{"x-a: b"}, saw: []string{"GET / shop.test x-a=b"}, back: "200"},
	{name: "a body", fields: []string{":method: POST"}, body: "hello", saw: []string{`POST / shop.test "hello"`}, back: "200"},
	{name: "a body with its length", fields: []string{":method: POST", "content-length: 5"}, body: "hello", saw: []string{`POST / shop.test "hello"`}, back: "200"},
	{name: "a length of zero and a body", fields: []string{":method: POST", "content-length: 0"}, body: smuggled, back: "reset"},
	{name: "a length of zero and a late body", fields: []string{":method: POST", "content-length: 0"}, body: smuggled, late: true, back: "reset"},
	{name: "a late body", fields: []string{":method: POST", "content-length: 6"}, body: "hello!", late: true, saw: []string{`POST / shop.test "hello!"`}, back: "200"},
	{name: "a length that is half of it", fields: []string{":method: POST", "content-length: 3"}, body: "hello!", late: true, back: "reset"},
	{name: "a length too short", fields: []string{":method: POST", "content-length: 4"}, body: "hello" + smuggled, back: "reset"},
	{name: "a length too long", fields: []string{":method: POST", "content-length: 50"}, body: "hello", back: "400"},
	{name: "two lengths", fields: []string{":method: POST", "content-length: 0", "content-length: 43"}, body: smuggled, back: "reset"},
	{name: "chunked", fields: []string{":method: POST", "transfer-encoding: chunked"}, body: "0\r\n\r\n" + smuggled, back: "400"},
	{name: "a connection", fields: []string{"connection: x-a", "x-a: b"}, back: "400"},
	{name: "a line end in a value", fields: []string{"x-a: b\r\nX-C: d"}, back: "reset"},
	{name: "a bare LF in a value", fields: []string{"x-a: b\nx-c: d"}, back: "reset"},
	{name: "a NUL in a value", fields: []string{"x-a: b\x00"}, back: "reset"},
	{name: "a line end in a name", fields: []string{"x-a\r\nx-c: d"}, back: "reset"},
	{name: "a space in a name", fields: []string{"x a: b"}, back: "reset"},
	{name: "a name in capitals", fields: []string{"X-A: b"}, back: "reset"},
	{name: "a line end in the path", fields: []string{":path: / HTTP/1.1\r\nX-A: b"}, back: "reset"},
	{name: "a space in the path", fields: []string{":path: /a b"}, back: "400"},
	{name: "a space in the query", fields: []string{":path: /?a HTTP/1.1"}, back: "400"},
	{name: "a tab in the query", fields: []string{":path: /?a\tb"}, back: "reset"},
	{name: "a path that is a URL", fields: []string{":path: http://else.test/"}, back: "400"},
	{name: "a path like a host", fields: []string{":path: //else.test/a"}, saw: []string{"GET //else.test/a shop.test"}, back: "200"},
	{name: "no path", fields: []string{":path: "}, back: "reset"},
	{name: "a space in the method", fields: []string{":method: GET /smuggled HTTP/1.1"}, back: "400"},
	{name: "a line end in the method", fields: []string{":method: GET / HTTP/1.1\r\nX-A: b\r\n\r\n"}, back: "reset"},
	{name: "CONNECT", fields: []string{":method: CONNECT", ":path: -", ":scheme: -"}, back: "405"},
	{name: "a user in the authority", fields: []string{":authority: shop.test@else.test"}, back: "reset"},
	{name: "a path in the authority", fields: []string{":authority: shop.test/a"}, back: "400"},
	{name: "a space in the authority", fields: []string{":authority: shop.test else.test"}, back: "400"},
	{name: "a line end in the authority", fields: []string{":authority: shop.test\r\nX-A: b"}, back: "reset"},
	{name: "another Host", fields: []string{"host: else.test"}, saw: []string{"GET / shop.test"}, back: "200"},
	{name: "who asks", fields: []string{"x-forwarded-for: 6.6.6.6", "x-real-ip: 6.6.6.6", "x-forwarded-proto: http"}, saw: []string{"GET / shop.test"}, back: "200"},
	{name: "who asks, with underscores", fields: []string{"x_forwarded_for: 6.6.6.6", "x_real_ip: 6.6.6.6"}, saw: []string{"GET / shop.test"}, back: "200"},
	{name: "who asks, at all lengths", fields: []string{"x-forwarded-by: a", "x-forwarded-protocol: ssl", "x_forwarded_by: a", "x_forwarded_protocol: ssl",
		"x-forwarded_client_cert: a"}, saw: []string{"GET / shop.test"}, back: "200"},
	{name: "a length with an underscore", fields: []string{"content_length: 5"}, back: "400"},
	{name: "an upgrade", fields: []string{"upgrade: h2c"}, back: "400"},
	{name: "a field too large", fields: []string{"x-a: " + strings.Repeat("b", 9<<10)}, back: "431"},
	{name: "a trailer that is no name", fields: []string{":method: POST", "trailer: a b"}, body: "hello", back: "400"},
	{name: "a length announced as a trailer", fields: []string{":method: POST", "trailer: content-length"}, body: "hello",
		saw: []string{`POST / shop.test "hello"`}, back: "200"},
}

func TestSafetyHTTP2(t *testing.T) {
	secured := unknownTLS(t)
	for _, row := range streams {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			a := newTape(t, manner{})
			log := &journal{}
			dial, shut := newGate(t, router.Config{Log: log.logger()}, a, secured)
			plain, err := net.Dial("tcp", dial().RemoteAddr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer plain.Close()
			_ = plain.SetDeadline(time.Now().Add(patience))
			back := row.send(t, tls.Client(plain, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}))
			shut()
			a.await(t)
			if back != row.back {
				t.Errorf("%s came back, want %s", back, row.back)
			}
			if diff := cmp.Diff(row.saw, a.saw()); diff != "" {
				t.Error(diff)
			}
			for _, fault := range a.faults {
				t.Errorf("the app got %s", fault)
			}
			if lines := log.blame(); lines != nil {
				t.Errorf("the app was blamed: %q", lines)
			}
			for _, m := range a.requests {
				checkRoutine(t, m, true)
			}
		})
	}
}

// send is the client's side: one stream, and what came of it.
func (s stream) send(t *testing.T, conn net.Conn) string {
	t.Helper()
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.AllowIllegalWrites = true
	_ = framer.WriteSettings()
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: s.encode(), EndHeaders: true, EndStream: s.body == ""})
	rest := s.body
	if s.late {
		if !slices.Contains(s.fields, "content-length: 0") {
			_ = framer.WriteData(1, false, []byte(rest[:len(rest)/2]))
			rest = rest[len(rest)/2:]
		}
		time.Sleep(100 * time.Millisecond)
	}
	if s.body != "" {
		_ = framer.WriteData(1, true, []byte(rest))
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return "gone"
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			return frame.PseudoValue("status")
		case *http2.RSTStreamFrame:
			return "reset"
		case *http2.GoAwayFrame:
			if frame.ErrCode != http2.ErrCodeNo { // else it comes before an answer that is the last
				return "gone"
			}
		}
	}
}

// encode writes the header block, pseudo fields first; one with the value "-" is left out.
func (s stream) encode() []byte {
	fields := []string{":method: GET", ":scheme: https", ":authority: shop.test", ":path: /"}
	for _, f := range s.fields {
		name, _, _ := strings.Cut(f[1:], ":")
		if at := slices.IndexFunc(fields, func(usual string) bool { return strings.HasPrefix(usual, ":"+name+":") }); f[0] == ':' && at >= 0 {
			fields[at] = f
		} else {
			fields = append(fields, f)
		}
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range fields {
		name, value, _ := strings.Cut(f[1:], ": ")
		if value != "-" {
			_ = encoder.WriteField(hpack.HeaderField{Name: f[:1] + name, Value: value})
		}
	}
	return block.Bytes()
}
