package builder

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is accepted has names that can name a container and commands that bash can be given, and reads the same when it
// is written again; what is not is the pusher's fault, in one line.
func FuzzParseProcfile(f *testing.F) {
	for _, seed := range []string{
		"", "web: run\r\nworker_2 :\trun -x # no\n", "\ufeff# no\n\npostdeploy: a && b", "web:", "web: a\nweb: b", "wéb: x", "../x: y", "web: \x00", "web: a\rb", "web:\u00a0x\u2028y",
	} {
		f.Add([]byte(seed))
	}
	name := regexp.MustCompile(`^[A-Za-z0-9_-]{1,24}$`)
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := ParseProcfileOrdered(data)
		if err != nil {
			var failure *Failure
			if !errors.As(err, &failure) || strings.ContainsAny(failure.Summary, "\n\r\x1b") {
				t.Errorf("%q", err)
			}
			return
		}
		var text strings.Builder
		for _, p := range list {
			if !name.MatchString(p.Type) || strings.TrimSpace(p.Command) == "" || strings.ContainsAny(p.Command, "\x00\n") {
				t.Errorf("accepted %q: %q", p.Type, p.Command)
			}
			text.WriteString(p.Type + ": " + p.Command + "\n")
		}
		again, err := ParseProcfileOrdered([]byte(text.String()))
		if err != nil {
			t.Fatalf("written again: %v", err)
		}
		if diff := cmp.Diff(list, again); diff != "" {
			t.Errorf("written again (-first +second):\n%s", diff)
		}
	})
}
