package router

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// maxField is the longest single header field, name and value.
const maxField = 8 << 10

// oversized tells whether the request line and the headers together, or one of them, are larger than allowed.
func oversized(req *http.Request, limit int) bool {
	size := len(req.Method) + len(req.RequestURI) + len("  HTTP/1.1\r\n") + len("Host: \r\n") + len(req.Host)
	for name, values := range req.Header {
		for _, value := range values {
			field := len(name) + len(": \r\n") + len(value)
			if size += field; field > maxField {
				return true
			}
		}
	}
	return size > limit
}

// requestID keeps an id that came with the request if it is short and printable, and makes one otherwise.
func requestID(h http.Header) string {
	const longest = 128
	given := h.Get("X-Request-Id")
	unfit := func(c rune) bool { return c <= ' ' || c > '~' }
	if given != "" && len(given) <= longest && !strings.ContainsFunc(given, unfit) {
		return given
	}
	var b [16]byte
	_, _ = rand.Read(b[:])                      // never fails, says crypto/rand
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // UUID version 4, RFC 9562
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// rewrite makes the request for the container from the client's. ReverseProxy has removed hop-by-hop fields and
// forwarding headers already.
func (x *exchange) rewrite(pr *httputil.ProxyRequest) {
	pr.Out.URL.Scheme = "http"
	pr.Out.URL.RawQuery = pr.In.URL.RawQuery // as it came, also where Go would not parse it
	pr.Out.Host = pr.In.Host
	h := pr.Out.Header
	forwarded(h, pr.In, x.router.cfg.TrustForwarded)
	h.Set("X-Request-Id", x.id)
	h.Set("X-Request-Start", requestStart(x.start))
}

// requestStart is in seconds with milliseconds, "t=1693406590.527", as the platform's users know it.
func requestStart(t time.Time) string {
	return fmt.Sprintf("t=%d.%03d", t.Unix(), t.Nanosecond()/int(time.Millisecond))
}

// forwarded tells the container whom it serves. If in came from a proxy that is trusted, what it said is kept, and its own address
// is added to X-Forwarded-For.
func forwarded(out http.Header, in *http.Request, trust bool) {
	remote := remoteIP(in.RemoteAddr)
	real, chain, proto, port := remote, remote, "http", localPort(in)
	if in.TLS != nil {
		proto = "https"
	}
	if trust {
		for _, name := range []string{"Forwarded", "X-Forwarded-Host"} {
			if values := in.Header[name]; values != nil {
				out[name] = values
			}
		}
		if prior := strings.Join(in.Header["X-Forwarded-For"], ", "); prior != "" {
			chain = prior + ", " + remote
			real = validIP(prior[strings.LastIndexByte(prior, ',')+1:], remote)
		}
		real = validIP(in.Header.Get("X-Real-Ip"), real)
		if given := in.Header.Get("X-Forwarded-Proto"); given == "http" || given == "https" {
			proto = given
		}
		if given, err := strconv.ParseUint(in.Header.Get("X-Forwarded-Port"), 10, 16); err == nil {
			port = strconv.FormatUint(given, 10)
		}
	}
	out.Set("X-Real-Ip", real)
	out.Set("X-Forwarded-For", chain)
	out.Set("X-Forwarded-Proto", proto)
	out.Set("X-Forwarded-Port", port)
}

// validIP is s if that is an address, else fallback.
func validIP(s, fallback string) string {
	s = strings.TrimSpace(s)
	if _, err := netip.ParseAddr(s); err != nil {
		return fallback
	}
	return s
}

func remoteIP(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}

// localPort is the port that the client connected to.
func localPort(in *http.Request) string {
	if addr, ok := in.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if _, port, err := net.SplitHostPort(addr.String()); err == nil {
			return port
		}
	}
	if in.TLS != nil {
		return "443"
	}
	return "80"
}
