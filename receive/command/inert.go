package command

import (
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// inert writes JSON so that a terminal which shows it does nothing else: what cannot be seen is written as \uXXXX, which is the same document.
// encoding/json does so with the first 32 characters alone, and leaves U+009B, which begins an escape sequence, and U+202E, which turns a line
// around, as they are. Each Write is of whole characters, as those of a json.Encoder are.
type inert struct{ io.Writer }

func (w inert) Write(document []byte) (int, error) {
	text := make([]byte, 0, len(document))
	for _, r := range string(document) {
		if unicode.IsPrint(r) || r == '\n' { // which ends the document: within a string it is \n
			text = utf8.AppendRune(text, r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			text = fmt.Appendf(text, `\u%04x`, unit)
		}
	}
	if _, err := w.Writer.Write(text); err != nil {
		return 0, err
	}
	return len(document), nil
}
