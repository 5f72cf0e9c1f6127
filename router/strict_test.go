package router_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// message is an HTTP/1.1 message by the strictest reading of RFC 9112: where a recipient may be lenient, this one is not, and
// knows one way only to tell where a message ends. It shares no code with the router nor with net/http.
type message struct {
	start    string // request line or status line, without CRLF
	fields   []field
	body     string
	trailers []field
	framing  framing
}

type field struct{ name, value string }

// framing is how a body ends.
type framing string

const (
	bodyless framing = "no body"
	sized    framing = "content-length"
	chunked  framing = "chunked"
	untilEOF framing = "end of connection"
)

// fault is what makes bytes no message. An io.ErrUnexpectedEOF in its stead is a message that broke off.
type fault string

func (f fault) Error() string { return string(f) }

func faultf(format string, args ...any) error { return fault(fmt.Sprintf(format, args...)) }

// values are those of all fields called name, in any case.
func values(fields []field, name string) (found []string) {
	for _, f := range fields {
		if strings.EqualFold(f.name, name) {
			found = append(found, f.value)
		}
	}
	return found
}

// readRequest reads a request; io.EOF is a connection that ended between two.
func readRequest(r *bufio.Reader) (message, error) {
	m, err := readHead(r)
	if err != nil {
		return m, err
	}
	part := strings.Split(m.start, " ")
	if len(part) != 3 || !isToken(part[0]) || part[2] != "HTTP/1.1" || part[1] == "" || strings.ContainsFunc(part[1], outsideTarget) {
		return m, faultf("request line %q", m.start)
	}
	if hosts := values(m.fields, "Host"); len(hosts) != 1 {
		return m, faultf("%d Host fields", len(hosts))
	}
	m.framing = bodyless
	if err := m.frame(); err != nil {
		return m, err
	}
	return m, m.readBody(r)
}

// readResponse reads the answer to a request of that method. An interim answer has no body.
func readResponse(r *bufio.Reader, method string) (message, error) {
	m, err := readHead(r)
	if err != nil {
		return m, err
	}
	part := strings.SplitN(m.start, " ", 3)
	if len(part) != 3 || part[0] != "HTTP/1.1" && part[0] != "HTTP/1.0" || len(part[1]) != 3 || strings.Trim(part[1], "0123456789") != "" {
		return m, faultf("status line %q", m.start)
	}
	m.framing = untilEOF
	if err := m.frame(); err != nil {
		return m, err
	}
	if status := m.status(); status < 200 || status == 204 || status == 304 || method == "HEAD" {
		m.framing = bodyless
	}
	return m, m.readBody(r)
}

// status is of a response.
func (m message) status() int {
	status, _ := strconv.Atoi(m.start[len("HTTP/1.1 "):][:3]) // readResponse has looked
	return status
}

func outsideTarget(c rune) bool { return c <= ' ' || c == 0x7f }

func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}

func readHead(r *bufio.Reader) (m message, err error) {
	if m.start, err = readLine(r); err != nil {
		return m, err
	}
	m.fields, err = readFields(r)
	return m, unexpected(err)
}

// unexpected is for an error after the first byte of a message.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readLine reads a line of printable characters, tabs and obs-text up to CRLF. io.EOF only before its first byte.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		if line != "" {
			err = unexpected(err)
		}
		return "", err
	}
	text, ok := strings.CutSuffix(line, "\r\n")
	for i := range len(text) {
		if c := text[i]; c < ' ' && c != '\t' || c == 0x7f {
			ok = false
		}
	}
	if !ok {
		return "", faultf("line %q", line)
	}
	return text, nil
}

func readFields(r *bufio.Reader) (fields []field, err error) {
	for {
		line, err := readLine(r)
		if err != nil || line == "" {
			return fields, err
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !isToken(name) {
			return fields, faultf("field %q", line)
		}
		fields = append(fields, field{name, strings.Trim(value, " \t")})
	}
}

// frame finds out how the body ends, if there is anything that says so.
func (m *message) frame() error {
	lengths, codings := values(m.fields, "Content-Length"), values(m.fields, "Transfer-Encoding")
	switch {
	case len(lengths)+len(codings) > 1:
		return faultf("Content-Length %q, Transfer-Encoding %q", lengths, codings)
	case len(lengths) == 1 && (lengths[0] == "" || strings.Trim(lengths[0], "0123456789") != ""):
		return faultf("Content-Length %q", lengths[0])
	case len(lengths) == 1:
		m.framing = sized
	case len(codings) == 1 && codings[0] != "chunked":
		return faultf("Transfer-Encoding %q", codings[0])
	case len(codings) == 1:
		m.framing = chunked
	}
	return nil
}

func (m *message) readBody(r *bufio.Reader) (err error) {
	switch m.framing {
	case sized:
		m.body, err = readSize(r, values(m.fields, "Content-Length")[0], 10)
	case chunked:
		err = m.readChunks(r)
	case untilEOF:
		var rest []byte
		rest, err = io.ReadAll(r)
		m.body = string(rest)
	}
	return unexpected(err)
}

func readSize(r *bufio.Reader, digits string, base int) (string, error) {
	size, err := strconv.ParseInt(digits, base, 64)
	if err != nil {
		return "", faultf("size %q", digits)
	}
	var body strings.Builder
	_, err = io.CopyN(&body, r, size)
	return body.String(), err
}

func (m *message) readChunks(r *bufio.Reader) error {
	for {
		line, err := readLine(r)
		if err != nil {
			return err
		}
		digits, _, _ := strings.Cut(line, ";")
		if digits == "" || len(digits) > 16 || strings.Trim(digits, "0123456789abcdefABCDEF") != "" {
			return faultf("chunk size %q", line)
		}
		if strings.Trim(digits, "0") == "" {
			m.trailers, err = readFields(r)
			return err
		}
		data, err := readSize(r, digits, 16)
		m.body += data
		if err != nil {
			return err
		}
		end, err := readLine(r)
		if err != nil {
			return err
		}
		if end != "" {
			return faultf("chunk ends with %q", end)
		}
	}
}

// routine are the fields that the router sets itself, or that belong to one connection or to the framing.
var routine = []string{"host", "content-length", "transfer-encoding", "connection", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-port",
	"x-real-ip", "x-request-id", "x-request-start"}

// request is a request in one line: `POST /path host name=value … "body" trailer=value …`, without routine fields and
// sorted by name; the body only if there is one.
func (m message) request() string {
	part := strings.Split(m.start, " ")
	words := append([]string{part[0], part[1]}, values(m.fields, "Host")...)
	words = append(words, plain(m.fields)...)
	if m.body != "" {
		words = append(words, strconv.Quote(m.body))
	}
	return strings.Join(append(words, plain(m.trailers)...), " ")
}

func plain(fields []field) (words []string) {
	for _, f := range fields {
		if name := strings.ToLower(f.name); !slices.Contains(routine, name) {
			words = append(words, name+"="+f.value)
		}
	}
	slices.Sort(words)
	return words
}
