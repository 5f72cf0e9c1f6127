package command

import (
	"bufio"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printList writes all as one JSON array, or as a table: a header of words and the cells of each.
func printList[T any](c *Call, all []T, header string, cells func(T) []string) error {
	if c.json {
		return c.printJSON(append([]T{}, all...)) // [] and not null for none
	}
	lines := [][]string{strings.Fields(header)}
	for _, v := range all {
		lines = append(lines, cells(v))
	}
	for _, line := range lines {
		for i := range line {
			line[i] = printable(line[i])
		}
	}
	out := bufio.NewWriter(c.Stdout)
	widths := widthsOf(lines)
	for i, line := range lines {
		colours := c.Width > 0 && i > 0
		out.WriteString(tableLine(line, widths, c.Width, func(column int, text string) string {
			if colours && lines[0][column] == "STATUS" {
				return coloured(line[column], text)
			}
			return text
		}))
		out.WriteByte('\n')
	}
	return out.Flush()
}

// gap is the number of blanks between two columns.
const gap = 2

func widthsOf(lines [][]string) []int {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

// tableLine sets the cells in columns. What does not fit into limit characters (0: no limit) is cut off, with … for its end. paint
// may put what takes no room around a cell.
func tableLine(cells []string, widths []int, limit int, paint func(column int, text string) string) string {
	var b strings.Builder
	at := 0
	for i, cell := range cells {
		size := utf8.RuneCountInString(cell)
		if limit > 0 && at >= limit {
			break
		}
		if limit > 0 && at+size > limit {
			b.WriteString(paint(i, string([]rune(cell)[:limit-at-1])) + "…")
			break
		}
		b.WriteString(paint(i, cell))
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]-size+gap))
		}
		at += widths[i] + gap
	}
	return strings.TrimRight(b.String(), " ")
}

// coloured is text in the colour of a status: green for what is well, red for what is not, yellow for what is on its way.
func coloured(status, text string) string {
	colour := "33"
	switch {
	case status == "running" || status == "success":
		colour = "32"
	case status == "crashed" || status == "aborted" || strings.HasSuffix(status, "-error"):
		colour = "31"
	case status == "new" || status == "stopped":
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// printable keeps what somebody else wrote, a command line for one, from driving the reader's terminal.
func printable(cell string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, cell)
}
