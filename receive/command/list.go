package command

import (
	"bufio"
	"strings"
	"unicode"
)

// printList writes all as one JSON array, or as a table: a header of words and the cells of each.
func printList[T any](c *Call, all []T, header string, cells func(T) []string) error {
	if c.json {
		return c.printJSON(append([]T{}, all...)) // [] and not null for none
	}
	rows := [][]string{strings.Fields(header)}
	for _, v := range all {
		rows = append(rows, cells(v))
	}
	for _, row := range rows {
		for i := range row {
			row[i] = printable(row[i])
		}
	}
	out := bufio.NewWriter(c.Stdout)
	t := layOut(rows, c.Width)
	for i, row := range rows {
		out.WriteString(t.text(row, func(column int, text string) string {
			if c.Width > 0 && i > 0 && t.head[column] == "STATUS" {
				return coloured(row[column], text)
			}
			return text
		}))
	}
	return out.Flush()
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
func printable(cell string) string { return harmless(cell, "") }

// printableLines is printable for a text, which keeps its lines and tabs.
func printableLines(text string) string { return harmless(text, "\n\t") }

func harmless(text, kept string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || strings.ContainsRune(kept, r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}
