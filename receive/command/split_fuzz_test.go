package command

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever a shell would expand or run is text: without quotes, words are what stands between blanks; in single quotes, all is.
func FuzzSplitExpandsNothing(f *testing.F) {
	for _, seed := range []string{
		"", "apps", "$(id) `id` $HOME ; && || | > < * ? [a] {a,b} ~ # !", "a\tb\r\nc", "\x00 \xff\u00a0\u2028\u0430", "'it''s'", "--help -- -x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		plain := strings.NewReplacer(`'`, "", `"`, "", `\`, "").Replace(line)
		words, err := Split(plain)
		fields := strings.FieldsFunc(plain, func(r rune) bool { return strings.ContainsRune(" \t\n\r", r) })
		if err != nil || !cmp.Equal(append([]string{}, fields...), append([]string{}, words...)) {
			t.Errorf("%q: words %q, %v; want %q", plain, words, err, fields)
		}
		inside := strings.ReplaceAll(line, "'", "")
		if words, err := Split("'" + inside + "'"); err != nil || len(words) != 1 || words[0] != inside {
			t.Errorf("%q in quotes: %q, %v", inside, words, err)
		}
	})
}
