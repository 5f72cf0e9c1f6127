package router

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"slices"
	"strconv"
	"strings"
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

// masked tells whether a field that says where a request ends is spelled with an underscore.
func masked(h http.Header) bool {
	for name := range h {
		if strings.Contains(name, "_") && disguised([]byte(name)) == disguisedKind {
			return true
		}
	}
	return false
}

// requestID keeps an id that came with the request if it is fit, and makes one otherwise.
func requestID(h http.Header) string {
	if given := h.Get("X-Request-Id"); fitID([]byte(given)) {
		return given
	}
	id := newID()
	return string(id[:])
}

// rewrite makes the request for the container from the client's. ReverseProxy has removed hop-by-hop fields and
// forwarding headers already.
func (x *exchange) rewrite(pr *httputil.ProxyRequest) {
	pr.Out.URL.Scheme = "http"
	pr.Out.URL.RawQuery = pr.In.URL.RawQuery // as it came, also where Go would not parse it
	pr.Out.Host = pr.In.Host
	pr.Out.Trailer = pr.In.Trailer // filled when the body has been read; a copy would stay empty
	h := pr.Out.Header
	forwarded(h, pr.In, x.router.cfg.trusts(remoteIP(pr.In.RemoteAddr)))
	h.Set("X-Request-Id", x.id)
	h.Set("X-Request-Start", string(appendStart(nil, x.start)))
	tellTransport(h, x.idempotent())
}

// trusts tells whether an address is one of a forwarder.
func (c *Config) trusts(remote string) bool {
	if len(c.Forwarders) == 0 {
		return false
	}
	addr, err := netip.ParseAddr(remote)
	if err != nil {
		return false
	}
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(c.Forwarders, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// source is where a request came from, as the container is told.
type source struct {
	real  string // address of the client
	chain string // addresses from the client to whoever connected to the router
	proto string // http or https
	port  string // that the client connected to
}

// believe takes in what a trusted forwarder says, by the fields whose values it is asked for, and adds the forwarder's own address to the
// chain.
func (s *source) believe(values func(name string) []string) {
	first := func(name string) string {
		if given := values(name); len(given) > 0 {
			return given[0]
		}
		return ""
	}
	remote := s.real
	if prior := strings.Join(values("X-Forwarded-For"), ", "); prior != "" {
		s.chain = prior + ", " + remote
		s.real = validIP(prior[strings.LastIndexByte(prior, ',')+1:], remote)
	}
	s.real = validIP(first("X-Real-Ip"), s.real)
	if given := first("X-Forwarded-Proto"); given == "http" || given == "https" {
		s.proto = given
	}
	if given, err := strconv.ParseUint(first("X-Forwarded-Port"), 10, 16); err == nil {
		s.port = strconv.FormatUint(given, 10)
	}
}

// each tells set the fields that say so.
func (s *source) each(set func(name, value string)) {
	set("X-Real-Ip", s.real)
	set("X-Forwarded-For", s.chain)
	set("X-Forwarded-Proto", s.proto)
	set("X-Forwarded-Port", s.port)
}

// lines appends the fields as header lines.
func (s *source) lines(out []byte) []byte {
	s.each(func(name, value string) { out = appendField(out, name, value) })
	return out
}

// forwarded tells the container whom it serves.
func forwarded(out http.Header, in *http.Request, trust bool) {
	remote := remoteIP(in.RemoteAddr)
	from := source{real: remote, chain: remote, proto: "http", port: localPort(in)}
	if in.TLS != nil {
		from.proto = "https"
	}
	for name := range out {
		if f := kindOf([]byte(name)); f == forwardKind || strings.Contains(name, "_") && disguised([]byte(name)) == hopKind {
			delete(out, name)
		}
	}
	if trust {
		for _, name := range []string{"Forwarded", "X-Forwarded-Host"} {
			if values := in.Header[name]; values != nil {
				out[name] = values
			}
		}
		from.believe(func(name string) []string { return in.Header[name] })
	}
	from.each(out.Set)
}

// validIP is s if that is an address, else fallback. A zone is none of an address that somebody else could reach, and could hold anything.
func validIP(s, fallback string) string {
	s = strings.TrimSpace(s)
	if ip, err := netip.ParseAddr(s); err != nil || ip.Zone() != "" {
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
