package command

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// columns is how many columns of a terminal a text takes, which is not how many characters it has: Unicode's annex 11 gives those of East Asia
// and most pictures two, and a mark stands over the character before it.
func columns(text string) (n int) {
	for _, r := range text {
		n += columnsOf(r)
	}
	return n
}

func columnsOf(r rune) int {
	if r < 0x300 { // all before the first mark take one
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// cut shortens a text to so many columns, with … for what is left out.
func cut(text string, limit int) string {
	if columns(text) <= limit {
		return text
	}
	at := 0
	for i, r := range text {
		if at += columnsOf(r); at > limit-1 {
			return text[:i] + "…"
		}
	}
	return text
}

// wrap breaks a text between words into lines of so many columns, 0 for one line. A word that is longer stands alone.
func wrap(text string, limit int) []string {
	if columns(text) <= limit || limit <= 0 {
		return []string{text}
	}
	var lines []string
	var line string
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case columns(line)+1+columns(word) > limit:
			lines, line = append(lines, line), word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}
