package router

import (
	"bytes"
	"net/http"
)

// readTarget checks the target and Host, and brings them in the form in which the container gets them: a path, or "*". A client that takes the
// router for a proxy sends the whole URL, and may not name another host there than in Host (RFC 9112, 3.2.2, would let the URL's win).
func (q *request) readTarget() *refusal {
	if absolute := schemeOf(q.target); absolute > 0 && q.method != http.MethodConnect {
		authority := q.target[absolute:]
		end := bytes.IndexAny(authority, "/?")
		if end < 0 {
			end = len(authority)
		}
		q.target, authority = authority[end:], authority[:end]
		if len(q.target) == 0 || q.target[0] != '/' {
			return malformed(errTarget)
		}
		if !bytes.EqualFold(authority, q.host) {
			return malformed(errHosts)
		}
	}
	if q.method != http.MethodConnect && !validTarget(q.method, q.target) {
		return malformed(errTarget)
	}
	if !validHost(q.host) {
		return malformed(errHost)
	}
	q.key = appendHostKey(q.key[:0], q.host)
	return nil
}

// schemeOf is the length of "http://" or "https://" at the beginning of a target, 0 if there is neither.
func schemeOf(target []byte) int {
	for _, scheme := range []string{"http://", "https://"} {
		if len(target) >= len(scheme) && bytes.EqualFold(target[:len(scheme)], []byte(scheme)) {
			return len(scheme)
		}
	}
	return 0
}

// validTarget takes what browsers send, which is more than RFC 9112, 3.2, allows: there may be letters beyond ASCII and characters that
// should be escaped. In the path each % begins an escape, so that an app reads the same path from it as the router's other half.
func validTarget(method string, target []byte) bool {
	if string(target) == "*" {
		return method == http.MethodOptions
	}
	if len(target) == 0 || target[0] != '/' {
		return false
	}
	for i, query := 0, false; i < len(target); i++ {
		switch c := target[i]; {
		case c <= ' ' || c == 0x7f:
			return false
		case c == '?':
			query = true
		case c == '%' && !query && (i+2 >= len(target) || !isHex(target[i+1]) || !isHex(target[i+2])):
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

// validHost takes names, IPv4 addresses, IPv6 addresses in brackets, each with or without a port, and nothing at all.
func validHost(host []byte) bool {
	name := host
	if len(host) > 0 && host[0] == '[' {
		end := bytes.IndexByte(host, ']')
		if end < 0 || !every(host[1:end], func(c byte) bool { return isHex(c) || c == ':' || c == '.' }) {
			return false
		}
		name = host[end+1:]
		if len(name) > 0 && name[0] != ':' {
			return false
		}
	}
	name, port, _ := bytes.Cut(name, []byte(":"))
	return every(name, nameByte) && every(port, func(c byte) bool { return c >= '0' && c <= '9' })
}

func nameByte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_'
}

func every(s []byte, ok func(byte) bool) bool {
	for _, c := range s {
		if !ok(c) {
			return false
		}
	}
	return true
}
