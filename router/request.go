package router

import (
	"bytes"
	"net/http"

	"golang.org/x/net/http/httpguts"
)

// request is what a client asks on the fast path, as slices of the buffer that it lies in.
type request struct {
	head
	ask
	minor   byte // of the version: HTTP/1.minor
	length  int64
	chunked bool

	closes   bool   // Connection says close
	keeps    bool   // Connection says keep-alive
	gzip     bool   // it can unpack that
	expects  bool   // it waits for "100 Continue"
	trailers bool   // it takes trailers: TE
	upgrade  []byte // the protocol that it wants to change to; nil if none
	upgrades bool   // Connection says so
	id       []byte // X-Request-ID; nil if there is none that is fit
}

const (
	errVersion = wireError("its version is neither HTTP/1.0 nor HTTP/1.1")
	errMethod  = wireError("its method is not a token")
	errTarget  = wireError("its target is not a path")
	errHost    = wireError("it has not exactly one Host")
	errHosts   = wireError("Host and the target name different hosts")
	errLength  = wireError("its Content-Length is not one number")
	errBoth    = wireError("it has both Content-Length and Transfer-Encoding")
	errCoding  = wireError("its Transfer-Encoding is not chunked")
	errNamed   = wireError("Connection names a field that is not the connection's")
	errOptions = wireError("Connection names too many fields")
	errTrailer = wireError("Trailer announces a field that must not come after the body")
	errMasked  = wireError("a field of its framing is spelled with an underscore")
)

// reset keeps the memory for the next request.
func (q *request) reset() {
	fields, key := q.head, q.key[:0]
	fields.reset()
	*q = request{head: fields}
	q.key = key
}

func (q *request) body() bool { return q.chunked || q.length > 0 }

// last tells whether there is to be no further request on the connection.
func (q *request) last() bool { return q.closes || q.minor == 0 && !q.keeps }

// idempotent tells whether a container may be asked twice: by the methods of RFC 9110, 9.2.2. What has a body is asked only
// once: the router keeps no more than a small one.
func (q *request) idempotent() bool { return !q.body() && idempotent(q.method) }

func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}

// read makes sense of the section once it is complete. On an error nothing of the request may be trusted.
func (q *request) read() *refusal {
	if err := q.readStart(); err != nil {
		return err
	}
	hosts := 0
	for i := range q.fields {
		f := &q.fields[i]
		if f.kind == hostKind {
			hosts++
		}
		if err := q.readField(f.kind, q.value(f)); err != nil {
			return err
		}
	}
	switch {
	case hosts > 1, hosts == 0 && q.minor > 0:
		return malformed(errHost)
	case q.chunked && q.length >= 0:
		return malformed(errBoth)
	case q.chunked && q.minor == 0:
		return malformed(errCoding)
	}
	if q.minor == 0 {
		q.expects = false
	}
	if q.minor == 0 || q.body() || !q.upgrades || hasToken(q.upgrade, "h2c") {
		q.upgrade = nil // a field that may be ignored: RFC 9110, 7.8
	}
	return q.readTarget()
}

// readStart reads "GET /path HTTP/1.1".
func (q *request) readStart() *refusal {
	method, rest, _ := bytes.Cut(q.start(), []byte(" "))
	target, version, ok := bytes.Cut(rest, []byte(" "))
	if !ok {
		return malformed(errStartLine)
	}
	if len(version) != len("HTTP/1.1") || !bytes.HasPrefix(version, []byte("HTTP/")) {
		return malformed(errStartLine)
	}
	if string(version[:7]) != "HTTP/1." || version[7] != '0' && version[7] != '1' {
		return errUnknownVersion
	}
	if !isToken(method) {
		return malformed(errMethod)
	}
	q.minor = version[7] - '0'
	q.method, q.target, q.length = methodName(method), target, -1
	return nil
}

// methodName is the method without memory of its own, where it is a usual one.
func methodName(method []byte) string {
	switch string(method) {
	case http.MethodGet:
		return http.MethodGet
	case http.MethodHead:
		return http.MethodHead
	case http.MethodPost:
		return http.MethodPost
	case http.MethodPut:
		return http.MethodPut
	case http.MethodPatch:
		return http.MethodPatch
	case http.MethodDelete:
		return http.MethodDelete
	case http.MethodOptions:
		return http.MethodOptions
	}
	return string(method)
}

func (q *request) readField(k kind, value []byte) *refusal {
	switch k {
	case hostKind:
		q.host = value
	case lengthKind:
		n, err := parseLength(value)
		if err != nil || q.length >= 0 {
			return malformed(errLength)
		}
		q.length = n
	case codingKind:
		return q.readCoding(value)
	case connectionKind:
		return q.readConnection(value)
	case teKind:
		q.trailers = q.trailers || hasToken(value, "trailers")
	case upgradeKind:
		q.upgrade = value
	case trailerKind:
		for name := range options(value) {
			if !httpguts.ValidTrailerHeader(string(name)) {
				return malformed(errTrailer)
			}
		}
	case expectKind:
		if !bytes.EqualFold(value, []byte("100-continue")) {
			return errExpectation
		}
		q.expects = true
	case acceptKind:
		q.gzip = q.gzip || acceptsGzip(value)
	case idKind:
		if q.id == nil && fitID(value) {
			q.id = value
		}
	case cookieKind:
		if id := stickyID(value); id != nil {
			q.sticky = id
		}
	case disguisedKind:
		return malformed(errMasked)
	}
	return nil
}

// parseLength reads a Content-Length: digits only, below 10^18.
func parseLength(value []byte) (int64, error) {
	if len(value) == 0 || len(value) > 18 {
		return 0, errLength
	}
	n := int64(0)
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, errLength
		}
		n = 10*n + int64(c-'0')
	}
	return n, nil
}

// readCoding takes "chunked" and nothing else. Other codings are not implemented, RFC 9112, 6.1.
func (q *request) readCoding(value []byte) *refusal {
	switch {
	case q.chunked:
		return malformed(errCoding)
	case equalFold(value, "chunked"):
		q.chunked = true
		return nil
	case isToken(value) && !equalFold(value, "identity"):
		return errUnknownCoding
	}
	return malformed(errCoding)
}

func (q *request) readConnection(value []byte) *refusal {
	for option := range options(value) {
		switch {
		case equalFold(option, "close"):
			q.closes = true
		case equalFold(option, "keep-alive"):
			q.keeps = true
		case !isToken(option):
			return malformed(errNamed)
		default:
			switch kindOf(option) {
			case hostKind, lengthKind, codingKind, disguisedKind:
				return malformed(errNamed)
			case upgradeKind:
				q.upgrades = true
			default:
				if !q.addHop(option) {
					return malformed(errOptions)
				}
			}
		}
	}
	return nil
}

// options are the elements of a list like "keep-alive, Upgrade". Empty ones are none: RFC 9110, 5.6.1.
func options(list []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(list) > 0 {
			var option []byte
			option, list, _ = bytes.Cut(list, []byte(","))
			if option = bytes.Trim(option, " \t"); len(option) > 0 && !yield(option) {
				return
			}
		}
	}
}

func hasToken(list []byte, token string) bool {
	for option := range options(list) {
		if bytes.EqualFold(option, []byte(token)) {
			return true
		}
	}
	return false
}

// values are those of the field called name in the canonical form, which consists of letters and hyphens.
func (h *head) values(name string) (all []string) {
	for i := range h.fields {
		if f := &h.fields[i]; bytes.EqualFold(h.name(f), []byte(name)) {
			all = append(all, string(h.value(f)))
		}
	}
	return all
}

// fitID tells whether a request's id is short and printable.
func fitID(id []byte) bool {
	const longest = 128
	for _, c := range id {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(id) > 0 && len(id) <= longest
}
