package gitpack

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/google/go-cmp/cmp"
)

// What is read stays within the caps, is printable where it is repeated, and reads the same when it is written again.
func FuzzReadRequest(f *testing.F) {
	id := strings.Repeat("1", 40)
	pkt := func(line string) string {
		var b bytes.Buffer
		pktline.NewEncoder(&b).EncodeString(line)
		return b.String()
	}
	for _, seed := range []string{
		"", "0000", "0001", "0004", "fffg", "0035shallow " + id + "\n0000",
		pkt(ZeroID+" "+id+" refs/heads/master\x00 report-status side-band-64k object-format=sha1") + "0000PACK",
		pkt(ZeroID+" "+id+" refs/heads/master\x00push-options atomic\n") + pkt(id+" "+ZeroID+" refs/heads/x") + "0000" + pkt("detach\n") + "0000",
		pkt(ZeroID+" "+id+" ../x") + "0000", pkt(ZeroID+" "+id+" a\x1b]0;b") + "0000", pkt(id+" "+id+" refs/heads/m\u0430ster\x00object-format=sha256") + "0000",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		limits := Limits{Commands: 8, Options: 4, Line: 400}.withDefaults()
		q, err := readRequest(bytes.NewReader(data), limits)
		if err != nil {
			if said := oneLine(err.Error()); strings.ContainsAny(said, "\n\r\x00\x1b") {
				t.Errorf("error %q", said)
			}
			return
		}
		if len(q.updates)+len(q.shallow) > limits.Commands || len(q.options) > limits.Options {
			t.Errorf("more than the caps: %+v", q)
		}
		for _, u := range q.updates {
			if !validID(u.old) || !validID(u.new) || strings.ContainsAny(u.ref, " \n\r\x00\x1b") || len(u.ref) > limits.Line {
				t.Errorf("accepted %+v", u)
			}
		}
		again, err := readRequest(bytes.NewReader(q.encode(t)), limits)
		if err != nil {
			t.Fatalf("written again: %v", err)
		}
		if diff := cmp.Diff(q, again, cmp.AllowUnexported(request{}, update{})); diff != "" {
			t.Errorf("written again (-first +second):\n%s", diff)
		}
	})
}

// encode writes a request as a client would.
func (q request) encode(t *testing.T) []byte {
	var b bytes.Buffer
	lines := pktline.NewEncoder(&b)
	for _, id := range q.shallow {
		lines.EncodeString("shallow " + id)
	}
	for i, u := range q.updates {
		line := u.old + " " + u.new + " " + u.ref
		if i == 0 && q.capabilities != nil {
			line += "\x00" + strings.Join(q.capabilities, " ")
		}
		lines.EncodeString(line)
	}
	lines.Flush()
	for _, option := range q.options {
		lines.EncodeString(option + "\n")
	}
	lines.Flush()
	return b.Bytes()
}
