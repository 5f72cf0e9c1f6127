package applog

import (
	"strings"
	"time"
)

// Entry is a line of an app's log.
type Entry struct {
	At   time.Time
	Name string // "web-1", "router"
	Text string // without its end

	Source string // the container's id, "" for none
	Mark   string // the place in its output after the line

	bare bool // tells the mark only
}

// String is the entry as readers see it: "2026-01-02T03:04:05.000006Z [web-1] text".
func (e Entry) String() string {
	return e.At.UTC().Format("2006-01-02T15:04:05.000000Z") + " [" + e.Name + "] " + e.Text
}

// encode is the entry as a line of the file. What would break the line is replaced.
func (e Entry) encode() []byte {
	head := strings.Join([]string{e.At.UTC().Format(time.RFC3339Nano), field(e.Name), field(e.Source), field(e.Mark)}, " ")
	if e.bare {
		return []byte(head + "\n")
	}
	return []byte(head + " " + strings.ReplaceAll(e.Text, "\n", " ") + "\n")
}

func field(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '\n' {
			return '_'
		}
		return r
	}, s)
}

// decode reads a line of the file, without its end; false for what is none.
func decode(line string) (e Entry, ok bool) {
	parts := strings.SplitN(line, " ", 5)
	if len(parts) < 4 {
		return e, false
	}
	at, err := time.Parse(time.RFC3339Nano, parts[0])
	if err != nil {
		return e, false
	}
	e = Entry{At: at, Name: parts[1], Source: value(parts[2]), Mark: value(parts[3]), bare: len(parts) == 4}
	if !e.bare {
		e.Text = parts[4]
	}
	return e, true
}

func value(field string) string {
	if field == "-" {
		return ""
	}
	return field
}
