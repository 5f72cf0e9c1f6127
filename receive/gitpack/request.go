package gitpack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// ZeroID stands for "no object".
const ZeroID = "0000000000000000000000000000000000000000"

// update is one line of a push: move ref from old to new.
type update struct {
	ref, old, new string
	refused       string // git's reason, empty while it is not refused
}

func (u update) deletes() bool { return u.new == ZeroID }

// request is everything a client sends before the pack.
type request struct {
	updates      []update
	capabilities []string
	shallow      []string // commits whose parents the client does not have
	options      []string
}

func (q request) has(capability string) bool { return slices.Contains(q.capabilities, capability) }

// hasPack tells whether a pack follows: a push of nothing but deletions has none.
func (q request) hasPack() bool {
	return slices.ContainsFunc(q.updates, func(u update) bool { return !u.deletes() })
}

// readRequest reads the update-request of gitprotocol-pack(5) up to the pack, which it does not touch. A request
// without updates is a client that found nothing to do.
func readRequest(r io.Reader, limits Limits) (request, error) {
	var q request
	lines := pktline.NewScanner(r)
	if err := q.readUpdates(lines, limits); err != nil {
		return request{}, err
	}
	if len(q.updates) > 0 && q.has("push-options") {
		if err := q.readOptions(lines, limits); err != nil {
			return request{}, err
		}
	}
	return q, nil
}

func (q *request) readUpdates(lines *pktline.Scanner, limits Limits) error {
	for {
		line, err := next(lines, limits.Line)
		if err != nil {
			// A client that stops after the advertisement has nothing to do, and says so in either way.
			if errors.Is(err, io.ErrUnexpectedEOF) && len(q.updates)+len(q.shallow) == 0 {
				return nil
			}
			return fmt.Errorf("commands: %w", err)
		}
		if line == nil {
			return nil
		}
		if len(q.updates)+len(q.shallow) >= limits.Commands {
			return fmt.Errorf("more than %d refs in one push", limits.Commands)
		}
		if id, ok := bytes.CutPrefix(line, []byte("shallow ")); ok {
			id := strings.TrimSuffix(string(id), "\n")
			if !validID(id) {
				return errors.New("malformed shallow line")
			}
			q.shallow = append(q.shallow, id)
			continue
		}
		if err := q.readUpdate(string(line)); err != nil {
			return err
		}
	}
}

// readUpdate parses OLD SP NEW SP REF [NUL CAPABILITIES].
func (q *request) readUpdate(line string) error {
	line, capabilities, ok := strings.Cut(line, "\x00")
	if ok && len(q.updates) == 0 {
		q.capabilities = strings.Fields(capabilities)
	}
	for _, capability := range q.capabilities {
		if format, ok := strings.CutPrefix(capability, "object-format="); ok && format != "sha1" {
			return fmt.Errorf("this server has SHA-1 repositories, not %s", oneLine(format))
		}
	}
	line = strings.TrimSuffix(line, "\n")
	if len(line) < 83 || line[40] != ' ' || line[81] != ' ' {
		return errors.New("malformed command")
	}
	u := update{old: line[:40], new: line[41:81], ref: line[82:]}
	if !validID(u.old) || !validID(u.new) {
		return errors.New("malformed object id")
	}
	if u.old == ZeroID && u.new == ZeroID || !printableRef(u.ref) {
		return errors.New("malformed ref")
	}
	if slices.ContainsFunc(q.updates, func(other update) bool { return other.ref == u.ref }) {
		return fmt.Errorf("%s is given twice", u.ref)
	}
	q.updates = append(q.updates, u)
	return nil
}

func (q *request) readOptions(lines *pktline.Scanner, limits Limits) error {
	for {
		line, err := next(lines, limits.Line)
		if err != nil {
			return fmt.Errorf("push options: %w", err)
		}
		if line == nil {
			return nil
		}
		if len(q.options) >= limits.Options {
			return fmt.Errorf("more than %d push options", limits.Options)
		}
		q.options = append(q.options, strings.TrimSuffix(string(line), "\n"))
	}
}

// next is the next pkt-line, nil for a flush.
func next(lines *pktline.Scanner, limit int) ([]byte, error) {
	if !lines.Scan() {
		if err := lines.Err(); err != nil {
			return nil, err
		}
		return nil, io.ErrUnexpectedEOF
	}
	line := lines.Bytes()
	if len(line) == 0 {
		return nil, nil
	}
	if len(line) > limit {
		return nil, fmt.Errorf("a line is longer than %d bytes", limit)
	}
	return line, nil
}

func validID(id string) bool {
	return len(id) == 40 && strings.Trim(id, "0123456789abcdef") == ""
}

// printableRef rejects what could not be repeated in a report; which refs may be pushed is the policy's matter.
func printableRef(ref string) bool {
	return ref != "" && !strings.ContainsFunc(ref, func(c rune) bool { return c <= ' ' || c == 0x7f || c == '\uFFFD' || c >= 0x80 && c < 0xa0 })
}
