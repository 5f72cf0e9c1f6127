package router

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// scanAll scans a section that comes in pieces of n bytes.
func scanAll(section string, n int, max limits) (*head, error) {
	h := &head{}
	for end := 0; !h.done; {
		if end == len(section) {
			return h, fmt.Errorf("not complete")
		}
		end = min(end+n, len(section))
		if err := h.scan([]byte(section[:end]), max); err != nil {
			return h, err
		}
	}
	return h, nil
}

func TestScan(t *testing.T) {
	const start = "GET / HTTP/1.1\r\n"
	for _, test := range []struct {
		section string
		err     error
	}{
		{start + "Host: a\r\n\r\n", nil},
		{start + "Host:\ta \t\r\nX-Empty:\r\nX-Obs: \xe4\r\n\r\n", nil},
		{"GET / HTTP/1.1\nHost: a\n\n", errLineEnd},
		{start + "Host: a\n\r\n", errLineEnd},
		{start + "\n", errLineEnd},
		{start + "A: b\rc\r\n\r\n", errControl},
		{start + "A: b\r\r\n\r\n", errControl},
		{start + "A: b\x00c\r\n\r\n", errControl},
		{start + "A: 12345678\x7f2345678\r\n\r\n", errControl},
		{start + " A: b\r\n\r\n", errFolded},
		{start + "A: b\r\n\tc\r\n\r\n", errFolded},
		{start + "A : b\r\n\r\n", errFieldName},
		{start + ": b\r\n\r\n", errFieldName},
		{start + "A\r\n\r\n", errFieldName},
		{start + "Ä: b\r\n\r\n", errFieldName},
		{start + "A: " + strings.Repeat("x", 94) + "\r\n\r\n", errTooLong},
		{start + "A: " + strings.Repeat("x", 94), errTooLong},
		{"GET /" + strings.Repeat("x", 200), errTooLong},
		{start + strings.Repeat("A: b\r\n", 40), errTooLong},
	} {
		for _, n := range []int{1, 7, len(test.section)} {
			if h, err := scanAll(test.section, n, limits{section: 200, field: 96}); err != test.err {
				t.Errorf("%q in pieces of %d: %v, want %v", test.section, n, err, test.err)
			} else if err == nil && h.line != len(test.section) {
				t.Errorf("%q ends at %d", test.section, h.line)
			}
		}
	}
}

func TestPrintable(t *testing.T) {
	for c := range 256 {
		for at := range 17 {
			s := bytes.Repeat([]byte("a"), 17)
			s[at] = byte(c)
			if want := c >= ' ' && c != 0x7f || c == '\t'; printable(s) != want {
				t.Fatalf("%#x at %d: %v", c, at, !want)
			}
		}
	}
}

func TestKinds(t *testing.T) {
	for name, want := range map[string]kind{
		"host": hostKind, "HOST": hostKind, "Content-Length": lengthKind, "tRANSFER-eNCODING": codingKind, "Te": teKind, "Date": dateKind,
		"ETag": tagKind, "Connection": connectionKind, "Keep-Alive": hopKind, "Proxy-Connection": hopKind, "Proxy-Authenticate": hopKind,
		"Proxy-Authorization": hopKind, "Upgrade": upgradeKind, "Trailer": trailerKind, "Expect": expectKind, "X-Real-IP": forwardKind,
		"Forwarded": forwardKind, "X-Forwarded-For": forwardKind, "X-Forwarded-Host": forwardKind, "X-Forwarded-Anything": forwardKind,
		"X-Forwarded-By": forwardKind, "X-Forwarded-Client-Cert": forwardKind, "Content-Lengths": other,
		"X-Forwarded": other, "X-Request-Id": idKind, "X-Request-Start": startKind, "Cookie": cookieKind, "Content-Type": typeKind,
		"Content-Encoding": encodedKind, "Accept-Encoding": acceptKind, "Accept-Ranges": rangesKind, "Hosts": other, "A": other,
	} {
		if got := kindOf([]byte(name)); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	for name, want := range map[string]kind{
		"Content_Length": disguisedKind, "transfer_encoding": disguisedKind, "X_Forwarded_For": hopKind, "x-real_ip": hopKind,
		"X_Request_ID": hopKind, "X_Forwarded_By": hopKind, "X_Forwarded_Protocol": hopKind, "x-forwarded_client-cert": hopKind,
		"Proxy_Authorization": other, "Transfer_Encoding_Of_Its_Own": other, "my_field": other, strings.Repeat("_", 100): other,
	} {
		if got := disguised([]byte(name)); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}

func TestChunks(t *testing.T) {
	for _, test := range []struct {
		body string
		data string
		rest string // behind the body
		err  error
	}{
		{body: "0\r\n\r\n", data: ""},
		{body: "5\r\nhello\r\n0\r\n\r\nGET", data: "hello", rest: "GET"},
		{body: "2\r\nhe\r\n003\r\nllo\r\n00\r\nX-Sum: 5\r\n\r\n", data: "hello"},
		{body: "A;name=\"value; more\"\r\n0123456789\r\n0;last\r\n\r\n", data: "0123456789"},
		{body: "5\nhello\r\n0\r\n\r\n", err: errChunk},
		{body: "5\r\nhello\n0\r\n\r\n", err: errChunk},
		{body: "5\r\nhelloX\r\n0\r\n\r\n", err: errChunk},
		{body: "\r\nhello", err: errChunk},
		{body: ";x\r\nhello", err: errChunk},
		{body: "-5\r\nhello", err: errChunk},
		{body: "0x5\r\nhello", err: errChunk},
		{body: " 5\r\nhello", err: errChunk},
		{body: "5 \r\nhello", err: errChunk},
		{body: "5;a\rb\r\nhello", err: errChunk},
		{body: "5;a\nb\r\nhello", err: errChunk},
		{body: "00000000000000005\r\nhello", err: errChunk},
		{body: "ffffffffffffffff\r\nhello", err: errChunk},
		{body: "5;" + strings.Repeat("x", maxChunkLine) + "\r\nhello", err: errChunk},
		{body: "0\r\nA : b\r\n\r\n", err: errFieldName},
		{body: "0\r\nA: b\n\r\n", err: errLineEnd},
		{body: "0\r\nA: " + strings.Repeat("x", maxTrailer) + "\r\n\r\n", err: errTooLong},
		{body: "64\r\n", err: errBodySize},
		{body: "33\r\n" + strings.Repeat("x", 0x33) + "\r\n33\r\n", err: errBodySize},
	} {
		for _, n := range []int{1, 3, len(test.body)} {
			data, rest, err := decodeAll(&chunks{limit: 99}, test.body, n)
			if err != test.err || err == nil && (data != test.data || rest != test.rest) {
				t.Errorf("%.40q in pieces of %d: %q and %q, %v, want %q and %q, %v", test.body, n, data, rest, err, test.data, test.rest, test.err)
			}
		}
	}
}

func decodeAll(c *chunks, body string, n int) (data, rest string, err error) {
	for len(body) > 0 && !c.done() {
		piece := []byte(body[:min(n, len(body))])
		got, used, err := c.decode(piece)
		if err != nil {
			return "", "", err
		}
		data += string(got)
		body = body[used:]
	}
	return data, body, nil
}

// TestTrailers lets pass what may come after a body.
func TestTrailers(t *testing.T) {
	c := &chunks{}
	if _, _, err := decodeAll(c, "0\r\nX-Sum: 5\r\nContent-Length: 5\r\nHost: a\r\nAuthorization: b\r\nX-Forwarded-For: c\r\nConnection: d\r\nx-more: e\r\n\r\n", 1); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("0\r\nX-Sum: 5\r\nx-more: e\r\n\r\n", string(c.appendTrailer(nil))); diff != "" {
		t.Error(diff)
	}
}
