package command

import (
	"strings"
	"testing"
)

// Every argument makes one variable, with all that is behind its first equals sign; an error does not show a value.
func FuzzAssignments(f *testing.F) {
	f.Add("A=b", "C=d=e", "")
	f.Add("A=-", "B=", "from standard input\n\n")
	f.Add("A=-", "B=-", "x")
	f.Add("A=secret", "A=secret", "")
	f.Add("no assignment", "=", "")
	f.Add("=-", "A=b", "0")
	f.Add("A\x00=\n", "\u0410=-", "\xff")
	f.Fuzz(func(t *testing.T, first, second, stdin string) {
		c := &Call{Stdin: strings.NewReader(stdin)}
		args := []string{first, second}
		vars, err := c.assignments(args)
		if err != nil {
			if _, value, ok := strings.Cut(second, "="); ok && len(value) > 40 && strings.Contains(err.Error(), value) {
				t.Errorf("%v shows the value", err)
			}
			return
		}
		if len(vars) != len(args) {
			t.Fatalf("%q from %q", vars, args)
		}
		for _, arg := range args {
			name, want, _ := strings.Cut(arg, "=")
			if want == "-" {
				want = strings.TrimSuffix(stdin, "\n")
			}
			if got, ok := vars[name]; !ok || got != want {
				t.Errorf("%q is %q, want %q", name, got, want)
			}
		}
	})
}
