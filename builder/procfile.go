package builder

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// procfileLine is "type: command". Types of up to 24 letters and digits are Scalingo's rule; Heroku allows - and _ too.
var procfileLine = regexp.MustCompile(`^([A-Za-z0-9_-]{1,24})[ \t]*:[ \t]*(\S.*)$`)

// Process is one line of a Procfile.
type Process struct {
	Type    string // "web"
	Command string // for bash -c
}

// ParseProcfile returns the commands by process type. An error is a *Failure that names the line.
func ParseProcfile(data []byte) (map[string]string, error) {
	list, err := ParseProcfileOrdered(data)
	if err != nil {
		return nil, err
	}
	types := make(map[string]string, len(list))
	for _, p := range list {
		types[p.Type] = p.Command
	}
	return types, nil
}

// ParseProcfileOrdered is ParseProcfile in the order of the file. Blank lines and lines that start with # are
// skipped; lines may end in \r\n; a byte order mark at the start is ignored.
func ParseProcfileOrdered(data []byte) ([]Process, error) {
	var list []Process
	seen := map[string]int{}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		m := procfileLine.FindStringSubmatch(line)
		if m == nil || strings.ContainsRune(line, 0) {
			return nil, procfileError(number, "%q is not of the form \"type: command\", where type has up to 24 letters, digits, - and _", line)
		}
		if first, twice := seen[m[1]]; twice {
			return nil, procfileError(number, "the type %s is already on line %d", m[1], first)
		}
		seen[m[1]] = number
		list = append(list, Process{Type: m[1], Command: m[2]})
	}
	return list, nil
}

func procfileError(line int, format string, args ...any) error {
	return &Failure{Summary: fmt.Sprintf("Procfile, line %d: %s", line, fmt.Sprintf(format, args...))}
}
