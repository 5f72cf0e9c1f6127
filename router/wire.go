package router

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// head is the header section of a message as it lies in a buffer: where its lines begin and end. It is read line by line while bytes come
// in, and copied through in runs of lines, so that nothing is allocated and nothing is written differently from how it came.
//
// The rules are those of RFC 9112 without its leniencies: every line ends with CR LF, there is none of these bytes elsewhere, a
// field begins at the line's first byte and has no space before its colon.
type head struct {
	buf    []byte // from the start line's first byte on
	line   int    // where the next line begins
	first  int    // length of the start line without its end
	fields []field
	done   bool     // the empty line was read
	hops   [][]byte // names in Connection: such fields end here, see hop

	trailer bool // the section is one of trailers: it has no start line
}

// field is a line "Name: value" in head.buf.
type field struct {
	from, colon, value, end, to int32 // name [from:colon], value [value:end] without spaces around, line [from:to]
	kind                        kind
}

func (h *head) name(f *field) []byte  { return h.buf[f.from:f.colon] }
func (h *head) start() []byte         { return h.buf[:h.first] }
func (h *head) value(f *field) []byte { return h.buf[f.value:f.end] }

// reset prepares for another message. A large section's memory is not kept.
func (h *head) reset() {
	fields := h.fields[:0]
	if cap(fields) > 128 {
		fields = nil
	}
	*h = head{fields: fields, hops: h.hops[:0]}
}

// maxHops is how many fields Connection may name. Each is compared with the name of every field.
const maxHops = 32

// addHop notes a name in Connection. It returns false for one too many.
func (h *head) addHop(name []byte) bool {
	h.hops = append(h.hops, name)
	return len(h.hops) <= maxHops
}

// hop tells whether a field is about the connection that it came on, by what it is or because Connection names it: RFC 9110, 7.6.1.
func (h *head) hop(f *field) bool {
	switch f.kind {
	case connectionKind, hopKind, teKind, upgradeKind, codingKind:
		return true
	}
	return slices.ContainsFunc(h.hops, func(name []byte) bool { return bytes.EqualFold(name, h.name(f)) })
}

// wireError is what is wrong with a message, as a part of a sentence.
type wireError string

func (e wireError) Error() string { return string(e) }

const (
	errTooLong   = wireError("its header section is too large")
	errLineEnd   = wireError("a line does not end with CR LF")
	errFieldName = wireError("the name of a header field is not a token")
	errFolded    = wireError("a header field is folded")
	errControl   = wireError("there is a control character in a header field")
	errStartLine = wireError("its first line is not of the form that HTTP/1.1 prescribes")
)

// limits of a header section, in bytes. A field's is 0 if only the whole is limited.
type limits struct{ section, field int }

// scan reads on after more bytes have come. buf begins with the first byte of the section each time. The section is complete
// once done is set; it is then buf[:line].
func (h *head) scan(buf []byte, max limits) error {
	h.buf = buf
	for !h.done {
		n := bytes.IndexByte(buf[h.line:], '\n') + 1
		if n == 0 {
			return h.fits(len(buf), max)
		}
		if n < 2 || buf[h.line+n-2] != '\r' {
			return errLineEnd
		}
		if err := h.fits(h.line+n, max); err != nil {
			return err
		}
		if err := h.add(h.line, h.line+n); err != nil {
			return err
		}
		h.line += n
	}
	return nil
}

// fits checks the limits for a line that goes on to end at least.
func (h *head) fits(end int, max limits) error {
	if end > max.section || h.line > 0 && max.field > 0 && end-h.line > max.field {
		return errTooLong
	}
	return nil
}

// add takes the line buf[from:to] in.
func (h *head) add(from, to int) error {
	content := h.buf[from : to-2]
	switch {
	case from == 0 && !h.trailer:
		h.first = len(content)
		return nil
	case len(content) == 0:
		h.done = true
		return nil
	}
	return h.addField(from, to)
}

func (h *head) addField(from, to int) error {
	line := h.buf[from : to-2]
	colon, underscore := 0, false
	for colon < len(line) && tokens[line[colon]] {
		underscore = underscore || line[colon] == '_'
		colon++
	}
	switch {
	case line[0] == ' ' || line[0] == '\t':
		return errFolded
	case colon == 0 || colon == len(line) || line[colon] != ':':
		return errFieldName
	}
	value, end := colon+1, len(line)
	for value < end && (line[value] == ' ' || line[value] == '\t') {
		value++
	}
	for end > value && (line[end-1] == ' ' || line[end-1] == '\t') {
		end--
	}
	if !printable(line[value:end]) {
		return errControl
	}
	f := field{from: int32(from), colon: int32(from + colon), value: int32(from + value), end: int32(from + end), to: int32(to)}
	f.kind = kindOf(line[:colon])
	if underscore {
		f.kind = disguised(line[:colon])
	}
	h.fields = append(h.fields, f)
	return nil
}

// tokens are the bytes of names and methods: RFC 9110, 5.6.2.
var tokens = func() (set [256]bool) {
	for c := range 256 {
		set[c] = c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' && c < 0x80 || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), byte(c)) >= 0
	}
	return set
}()

func isToken(s []byte) bool {
	for _, c := range s {
		if !tokens[c] {
			return false
		}
	}
	return len(s) > 0
}

// printable tells whether there is no control character but tabs in a field's value: RFC 9110, 5.5. It looks at eight bytes at once, and
// closer only where one of them is below a space or a DEL.
func printable(s []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; len(s) >= 8; s = s[8:] {
		word := binary.LittleEndian.Uint64(s)
		del := word ^ 0x7f*ones
		if ((word-0x20*ones)&^word|(del-ones)&^del)&highs != 0 && !plain(s[:8]) {
			return false
		}
	}
	return plain(s)
}

func plain(s []byte) bool {
	for _, c := range s {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// equalFold tells whether name is lower in any case. Lower is of small letters, digits and hyphens; name is a token.
func equalFold(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if c|0x20 != lower[i] {
			return false
		}
	}
	return true
}
