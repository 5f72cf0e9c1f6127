package router

// response is what a container answers on the fast path, as slices of the buffer that it lies in.
type response struct {
	head
	status  int
	reason  []byte // from the space before it on: " OK"
	length  int64  // of the body; -1 until the connection ends
	chunked bool
	close   bool   // the container's connection is of no further use
	dated   bool   // has a Date
	encoded bool   // has a Content-Encoding
	packed  bool   // the router packs it
	tag     []byte // ETag
	upgrade []byte
}

const (
	errStatus   = wireError("its status is not a number of three digits")
	errSwitched = wireError("it changes the protocol unasked")
)

func (s *response) reset() {
	fields := s.head
	fields.reset()
	*s = response{head: fields}
}

// interim tells whether another answer to the same request follows.
func (s *response) interim() bool { return s.status < 200 && s.status != 101 }

// read makes sense of the section once it is complete. It is as strict as request.read: what two readers could take differently is no answer.
func (s *response) read(q *request) error {
	if err := s.readStart(); err != nil {
		return err
	}
	coded := false
	for i := range s.fields {
		f := &s.fields[i]
		coded = coded || f.kind == codingKind
		if err := s.readField(f.kind, s.value(f)); err != nil {
			return err
		}
	}
	switch {
	case coded && s.length >= 0:
		return errBoth
	case coded && s.start()[7] == '0':
		return errCoding
	case s.status == 101 && !s.switches(q):
		return errSwitched
	}
	if s.bodiless(q.method) {
		s.chunked, s.length = false, 0
	}
	if !s.chunked && s.length < 0 {
		s.close = true
	}
	return nil
}

// switches tells whether the protocols that a 101 names were offered: RFC 9110, 7.8.
func (s *response) switches(q *request) bool {
	if q.upgrade == nil || len(s.upgrade) == 0 {
		return false
	}
	for protocol := range options(s.upgrade) {
		if !hasToken(q.upgrade, string(protocol)) {
			return false
		}
	}
	return true
}

// bodiless tells whether the answer ends with its header section whatever its fields say: RFC 9112, 6.3.
func (s *response) bodiless(method string) bool {
	return method == "HEAD" || s.status < 200 || s.status == 204 || s.status == 304
}

// readStart reads "HTTP/1.1 200 OK"; the reason and the space before it may be missing.
func (s *response) readStart() error {
	const version = len("HTTP/1.1 ")
	line := s.start()
	if len(line) < version+3 || string(line[:7]) != "HTTP/1." || line[7] != '0' && line[7] != '1' || line[8] != ' ' {
		return errStartLine
	}
	s.close = line[7] == '0'
	for _, c := range line[version : version+3] {
		if c < '0' || c > '9' {
			return errStatus
		}
		s.status = 10*s.status + int(c-'0')
	}
	s.length, s.reason = -1, line[version+3:]
	if s.status < 100 || len(s.reason) > 0 && s.reason[0] != ' ' || !printable(s.reason) {
		return errStatus
	}
	return nil
}

func (s *response) readField(k kind, value []byte) error {
	switch k {
	case lengthKind:
		n, err := parseLength(value)
		if err != nil || s.length >= 0 {
			return errLength
		}
		s.length = n
	case codingKind:
		if s.chunked || !equalFold(value, "chunked") {
			return errCoding
		}
		s.chunked = true
	case connectionKind:
		for option := range options(value) {
			switch kindOf(option) {
			case lengthKind, codingKind:
				return errNamed
			case upgradeKind:
			default:
				s.close = s.close || equalFold(option, "close")
				if !equalFold(option, "close") && !equalFold(option, "keep-alive") && !s.addHop(option) {
					return errOptions
				}
			}
		}
	case upgradeKind:
		s.upgrade = value
	case dateKind:
		s.dated = true
	case encodedKind:
		s.encoded = true
	case tagKind:
		s.tag = value
	case disguisedKind:
		return errMasked
	}
	return nil
}
