package command

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestSplit(t *testing.T) {
	for _, test := range []struct {
		line string
		want []string
	}{
		{"", nil},
		{" \t\r\n ", nil},
		{"apps", []string{"apps"}},
		{"  env-set  my-app\tA=1 ", []string{"env-set", "my-app", "A=1"}},
		{`A='b c' "d e"`, []string{"A=b c", "d e"}},
		{`'' ""`, []string{"", ""}},
		{`a''b"c"$'d'`, []string{"abcd"}},
		{`'a\nb"c'`, []string{`a\nb"c`}},
		{`"a\"b\\c\$d\` + "`" + `e\nf'"`, []string{`a"b\c$d` + "`" + `e\nf'`}},
		{"\"a\\\nb\"", []string{"ab"}},
		{`a\ b\'c\\`, []string{`a b'c\`}},
		{"a\\\nb \\\n c", []string{"ab", "c"}},
		{`$'a\'b\\c\td\x41\101\u00e9'`, []string{"a'b\\c\tdAA\u00e9"}},
		{`$'100%s'`, []string{"100%s"}},
		{`$HOME $(id) *;|&&>x`, []string{"$HOME", "$(id)", "*;|&&>x"}},
		{"é\xff", []string{"é\xff"}},
	} {
		got, err := Split(test.line)
		if err != nil {
			t.Errorf("%q: %v", test.line, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q: %s", test.line, diff)
		}
	}
}

func TestSplitRefuses(t *testing.T) {
	for line, want := range map[string]string{
		"'":      "a quote is not closed",
		`a "b`:   "a quote is not closed",
		`"a\"`:   "a quote is not closed",
		`$'a\'`:  "a quote is not closed",
		`a\`:     "ends in a backslash",
		`$'a\0b`: "a quote is not closed",
	} {
		if words, err := Split(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v", line, words, err)
		}
	}
}

// What the client on the host quotes is split into the same words.
func TestSplitUndoesQuote(t *testing.T) {
	for _, word := range []string{
		"", " ", "a b", "it's", `"both" 'kinds'`, `back\slash`, "$HOME", "$(id)", "`id`", "*?[a]", "~", "a=b", "#", "if", "{a,b}", "!",
		"line\nline", "\r\t\a\b\f\v", "\x01f", "\x1b[2J", "\x7f", "\xff\xfea", "é☃\U0001f600", "\u202e", "\ufffd", "100%d %%", `\x41`, "$'", "'\n\\",
	} {
		roundTrip(t, []string{"env-set", word, "A=" + word})
	}
}

func FuzzSplitUndoesQuote(f *testing.F) {
	f.Add("plain", "a b")
	f.Add("it's", "\n\\'\"$`")
	f.Add("", "\x00\xff\u202e")
	f.Fuzz(func(t *testing.T, a, b string) { roundTrip(t, []string{a, b}) })
}

// FuzzSplit: no line ends the program, and words that come out of one go in again.
func FuzzSplit(f *testing.F) {
	for _, line := range []string{"a 'b c' \"d\\\"\" $'\\x41' \\ ", "$'", "\"\\", "a\\\nb"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if words, err := Split(line); err == nil {
			roundTrip(t, words)
		}
	})
}

func roundTrip(t *testing.T, words []string) {
	t.Helper()
	line, err := Join(words)
	if nul := slices.ContainsFunc(words, func(word string) bool { return strings.Contains(word, "\x00") }); err != nil || nul {
		if !nul || err == nil {
			t.Errorf("Join(%q): %v, there is a NUL: %v", words, err, nul)
		}
		return
	}
	got, err := Split(line)
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if diff := cmp.Diff(words, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%q: %s", line, diff)
	}
}
