package router

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// ask is what decides where a request goes. Both paths fill it in.
type ask struct {
	method string
	host   []byte // as the client sent it
	key    []byte // hostKey of host
	target []byte // path and query
	secure bool   // the client came by HTTPS
	slow   bool   // the container gets the body while it comes in
	sticky []byte // the container that served this visitor before, as its cookie says; nil if it says nothing
}

// redirect is where a route's rules send a request instead of a container: nil if they let it pass. A GET is redirected with 301; other methods
// with 308, which keeps the method and the body. HTTPS is at port, 0 for 443.
func (r *Route) redirect(a *ask, port int) *refusal {
	scheme, host := "http://", a.host
	if a.secure {
		scheme = "https://"
	}
	elsewhere := false
	if r.Canonical != "" && string(a.key) != hostKey(r.Canonical) {
		host, elsewhere = canonical(r.Canonical, a.host), true
	}
	if r.ForceHTTPS && !a.secure {
		scheme, host, elsewhere = "https://", withoutPort(host), true
		if bytes.IndexByte(host, ':') >= 0 {
			host = []byte("[" + string(host) + "]")
		}
		if port != 0 && port != 443 {
			host = fmt.Appendf(slices.Clip(host), ":%d", port)
		}
	}
	if !elsewhere {
		return nil
	}
	moved := *errMoved
	if a.method != http.MethodGet && a.method != http.MethodHead {
		moved.status = http.StatusPermanentRedirect
	}
	moved.location = scheme + string(host) + path(a.target)
	return &moved
}

// canonical is name with the port that the client used.
func canonical(name string, asked []byte) []byte {
	if i := bytes.LastIndexByte(asked, ':'); i > bytes.LastIndexByte(asked, ']') {
		name += string(asked[i:])
	}
	return []byte(name)
}

// path is a target fit to follow a host: "OPTIONS *" asks for no path.
func path(target []byte) string {
	if len(target) == 0 || target[0] != '/' {
		return "/"
	}
	return string(target)
}

// stickyCookie names the container that a visitor is kept on. It lives for 24 hours.
const (
	stickyCookie = "sc-sticky-session"
	stickyAge    = "86400" // seconds
)

// stickyID is what the cookie says in the header field Cookie: "a=b; sc-sticky-session=ID".
func stickyID(cookies []byte) []byte {
	for len(cookies) > 0 {
		var pair []byte
		pair, cookies, _ = bytes.Cut(cookies, []byte(";"))
		if name, value, ok := bytes.Cut(bytes.TrimLeft(pair, " \t"), []byte("=")); ok && string(name) == stickyCookie {
			return bytes.TrimRight(value, " \t")
		}
	}
	return nil
}

// setSticky is the value of Set-Cookie that keeps a visitor on the lease's container: "" if the route does not ask for that or the
// visitor's cookie says so already.
func (l lease) setSticky(a *ask) string {
	if !l.live.route.Sticky || string(a.sticky) == l.id {
		return ""
	}
	cookie := []string{stickyCookie + "=" + l.id, "Path=/", "Max-Age=" + stickyAge, "HttpOnly", "SameSite=Lax"}
	if a.secure {
		cookie = append(cookie, "Secure")
	}
	return strings.Join(cookie, "; ")
}
