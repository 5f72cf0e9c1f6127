package command

import (
	"strings"
	"testing"
)

// What a collaborator sets must not drive the terminal of whoever looks, nor look like a variable that is not there.
func TestValuesAreShown(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct{ value, line, onTerminal string }{
		{"hello you", "hello you", "hello you"},
		{`a "word" of $it's`, `a "word" of $it's`, `a "word" of $it's`},
		{"", "", ""},
		{"one\nTOKEN=two", `$'one\nTOKEN=two'`, "one\nTOKEN=two"},
		{`$'one\nTOKEN=two'`, `"\$'one\\nTOKEN=two'"`, `$'one\nTOKEN=two'`},
		{`"one"`, `'"one"'`, `"one"`},
		{"a\tb", `$'a\tb'`, "a\tb"},
		{"\x1b]0;owned\x07\x1b[2J", `$'\x1b]0;owned\a\x1b[2J'`, "\ufffd]0;owned\ufffd\ufffd[2J"},
		{"a\rb\u009b2J\u202e", `$'a\rb\u009b2J\u202e'`, "a\ufffdb\ufffd2J\ufffd"},
	} {
		w.mustRun(alice, "env-set my-app V=-", test.value+"\n")
		for _, width := range []int{0, 80} {
			_, all, _ := w.runOn(width, alice, "env my-app", "")
			if want := "\nV=" + test.line + "\n"; !strings.HasSuffix(all, want) {
				t.Errorf("env, width %d: %q, want %q", width, all, want)
			}
		}
		if got := w.mustRun(alice, "env-get my-app V", ""); got != test.value+"\n" {
			t.Errorf("env-get for a script: %q, want %q", got, test.value)
		}
		if _, got, _ := w.runOn(80, alice, "env-get my-app V", ""); got != test.onTerminal+"\n" {
			t.Errorf("env-get on a terminal: %q, want %q", got, test.onTerminal)
		}
	}
}
