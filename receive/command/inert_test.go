package command

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

// A document drives no terminal, and says what it said.
func TestJSONIsInert(t *testing.T) {
	w := newWorld(t)
	const value = "\x1b[2J \u007f \u0085 \u009b2J \u200e \u202e \u2066 \U000e0041 <é> 日本 \U0001f600 \\u009b \n\t"
	w.mustRun(alice, "env-set my-app V=-", value+"\n")
	w.mustRun(alice, "error-page my-app", value)
	for _, test := range []struct{ line, name, want string }{
		{"env my-app --json", "V", value},
		{"env-get my-app V --json", "value", value},
		{"error-page my-app --show --json", "html", value},
		{"logs my-app --json", "text", "\u009b2Jhello"},
	} {
		text := w.mustRun(alice, test.line, "")
		var document map[string]string
		if err := json.Unmarshal([]byte(text), &document); err != nil || document[test.name] != test.want {
			t.Errorf("%s: %q, %v", test.line, document[test.name], err)
		}
		unseen := func(r rune) bool { return !unicode.IsPrint(r) }
		if !strings.HasSuffix(text, "}\n") || strings.ContainsFunc(strings.TrimSuffix(text, "\n"), unseen) {
			t.Errorf("%s: %q", test.line, text)
		}
		if test.want == value && !strings.Contains(text, `\u009b2J \u200e \u202e \u2066 \udb40\udc41 <é> 日本 😀 \\u009b \n\t`) {
			t.Errorf("%s: %s", test.line, text)
		}
	}
}
