package command

import (
	"errors"
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// Join makes one line of words, which Split splits into the same words. It is an error if one of them cannot be quoted, as it contains a NUL.
func Join(words []string) (string, error) {
	quoted := make([]string, len(words))
	for i, word := range words {
		text, err := syntax.Quote(word, syntax.LangBash)
		if err != nil {
			return "", fmt.Errorf("argument %d: %w", i+1, err)
		}
		quoted[i] = text
	}
	return strings.Join(quoted, " "), nil
}

// Split splits a command line into words as a POSIX shell quotes them, with $'…' too. Nothing is expanded: $VAR, globs and
// operators are ordinary characters.
func Split(line string) ([]string, error) {
	words, _, err := split(line)
	return words, err
}

// split also tells where in the line each word begins.
func split(line string) (words []string, begin []int, err error) {
	var word strings.Builder
	open := false
	for i := 0; i < len(line); i++ {
		first := i
		switch b := line[i]; {
		case b == ' ' || b == '\t' || b == '\n' || b == '\r':
			if open {
				words = append(words, word.String())
				word.Reset()
				open = false
			}
			continue
		case b == '\\':
			i++
			if i == len(line) {
				return nil, nil, errors.New("the command ends in a backslash: put the argument in quotes")
			}
			if line[i] == '\n' { // the line goes on
				continue
			}
			word.WriteByte(line[i])
		case b == '\'' || b == '"' || b == '$' && strings.HasPrefix(line[i+1:], "'"):
			text, n, err := quoted(line[i:])
			if err != nil {
				return nil, nil, err
			}
			word.WriteString(text)
			i += n - 1
		default:
			word.WriteByte(b)
		}
		if !open {
			begin = append(begin, first)
		}
		open = true
	}
	if open {
		words = append(words, word.String())
	}
	return words, begin, nil
}

// quoted reads a quotation at the start of s and returns its text and its length.
func quoted(s string) (string, int, error) {
	start, end := 1, s[0]
	if end == '$' {
		start, end = 2, '\''
	}
	var text strings.Builder
	for i := start; i < len(s); i++ {
		switch {
		case s[i] == end && s[0] == '$':
			value, _, err := expand.Format(nil, text.String(), nil)
			return value, i + 1, err
		case s[i] == end:
			return text.String(), i + 1, nil
		case s[i] == '\\' && s[0] == '$' && i+1 < len(s):
			text.WriteString(s[i : i+2])
			i++
		case s[i] == '\\' && s[0] == '"' && i+1 < len(s) && strings.IndexByte("\\\"$`\n", s[i+1]) >= 0:
			i++
			if s[i] != '\n' {
				text.WriteByte(s[i])
			}
		default:
			text.WriteByte(s[i])
		}
	}
	return "", 0, errors.New("a quote is not closed: every ' and \" needs its partner")
}
