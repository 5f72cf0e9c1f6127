package router

// kind is what a header field is to the router. Of most it knows nothing and passes them on as they are.
type kind uint8

const (
	other      kind = iota
	hostKind        // Host
	lengthKind      // Content-Length
	codingKind      // Transfer-Encoding
	connectionKind
	hopKind       // about this connection only
	teKind        // TE
	upgradeKind   // Upgrade
	trailerKind   // Trailer
	expectKind    // Expect
	forwardKind   // X-Forwarded-* and its like, which tell where a request came from
	idKind        // X-Request-ID
	startKind     // X-Request-Start
	cookieKind    // Cookie
	dateKind      // Date
	acceptKind    // Accept-Encoding
	typeKind      // Content-Type
	encodedKind   // Content-Encoding
	tagKind       // ETag
	rangesKind    // Accept-Ranges
	disguisedKind // a framing field or Host with an underscore in the place of a hyphen
)

// kindOf looks at the name's length first: hardly a name is compared with more than two others.
func kindOf(name []byte) kind {
	switch len(name) {
	case 2:
		return is(name, "te", teKind)
	case 4:
		return is(name, "host", hostKind) | is(name, "date", dateKind) | is(name, "etag", tagKind)
	case 6:
		return is(name, "cookie", cookieKind) | is(name, "expect", expectKind)
	case 7:
		return is(name, "upgrade", upgradeKind) | is(name, "trailer", trailerKind)
	case 9:
		return is(name, "x-real-ip", forwardKind) | is(name, "forwarded", forwardKind)
	case 10:
		return is(name, "connection", connectionKind) | is(name, "keep-alive", hopKind)
	case 12:
		return is(name, "content-type", typeKind) | is(name, "x-request-id", idKind)
	case 13:
		if k := is(name, "accept-ranges", rangesKind); k != other {
			return k
		}
	case 14:
		if k := is(name, "content-length", lengthKind); k != other {
			return k
		}
	case 18, 19:
		if k := is(name, "proxy-authenticate", hopKind) | is(name, "proxy-authorization", hopKind); k != other {
			return k
		}
	case 15:
		if k := is(name, "accept-encoding", acceptKind) | is(name, "x-request-start", startKind); k != other {
			return k
		}
	case 16:
		if k := is(name, "content-encoding", encodedKind) | is(name, "proxy-connection", hopKind); k != other {
			return k
		}
	case 17:
		if k := is(name, "transfer-encoding", codingKind); k != other {
			return k
		}
	}
	const prefix = "x-forwarded-"
	if len(name) <= len(prefix) {
		return other
	}
	return is(name[:len(prefix)], prefix, forwardKind)
}

// is returns k if the name is lower, in any case.
func is(name []byte, lower string, k kind) kind {
	if name[0]|0x20 == lower[0] && equalFold(name, lower) {
		return k
	}
	return other
}

// disguised is the kind of a name with underscores. Gateways such as CGI and WSGI write X_Forwarded_For and X-Forwarded-For the same, so
// such a field counts as what the app may take it for. A name longer than proxy-authorization counts by
// its beginning only, and is cut so that it equals none.
func disguised(name []byte) kind {
	var plain [len("proxy-authorization") + 1]byte
	n := copy(plain[:], name)
	for i, c := range plain[:n] {
		if c == '_' {
			plain[i] = '-'
		}
	}
	switch k := kindOf(plain[:n]); k {
	case hostKind, lengthKind, codingKind:
		return disguisedKind
	case forwardKind, idKind, startKind:
		return hopKind
	}
	return other
}
