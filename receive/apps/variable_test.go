package apps

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSetVariables(t *testing.T) {
	long := strings.Repeat("é", MaxValue)
	for _, test := range []struct {
		name string
		vars map[string]string
		want string
	}{
		{"several", map[string]string{"A": "1", "b_2": "", "3C": "x=y\nz"}, ""},
		{"longest", map[string]string{strings.Repeat("N", 64): long}, ""},
		{"alias", map[string]string{"DATABASE_URL": "$SCALINGO_MONGO_URL"}, ""},
		{"name too long", map[string]string{strings.Repeat("N", 65): "1"}, "cannot name a variable"},
		{"value too long", map[string]string{"A": long + "x"}, "the value of A has 32769 characters: at most 32768"},
		{"no name", map[string]string{"": "1"}, "cannot name a variable"},
		{"underscore first", map[string]string{"_A": "1"}, "cannot name a variable"},
		{"hyphen", map[string]string{"A-B": "1"}, "cannot name a variable"},
		{"not ASCII", map[string]string{"É": "1"}, "cannot name a variable"},
		{"newline in the name", map[string]string{"A\n": "1"}, "cannot name a variable"},
		{"not UTF-8", map[string]string{"A": "1\xe4"}, "the value of A is not text in UTF-8"},
		{"NUL", map[string]string{"A": "1\x002"}, "the value of A has a NUL byte"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			wantText(t, w.SetVariables(t.Context(), colin, "my-app", test.vars), test.want)
			got, err := w.Variables(t.Context(), colin, "my-app")
			w.must(err)
			want := test.vars
			if test.want != "" {
				want = map[string]string{}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOneBadVariableSetsNone(t *testing.T) {
	w := newWorld(t)
	err := w.SetVariables(t.Context(), olga, "my-app", map[string]string{"A": "1", "B": "2", "C": "3", "_BAD": "4"})
	wantText(t, err, `"_BAD" cannot name a variable`)
	got, err := w.Variables(t.Context(), olga, "my-app")
	w.must(err)
	if len(got) > 0 {
		t.Errorf("set: %v", got)
	}
}

func TestUnsetVariables(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.must(w.SetVariables(ctx, olga, "my-app", map[string]string{"A": "1", "B": "2", "C": "3"}))
	wantText(t, w.UnsetVariables(ctx, olga, "my-app", "A", "NOPE"), "NOPE is not set")
	w.must(w.UnsetVariables(ctx, olga, "my-app", "B", "C"))
	got, err := w.Variables(ctx, olga, "my-app")
	w.must(err)
	if diff := cmp.Diff(map[string]string{"A": "1"}, got); diff != "" {
		t.Error(diff)
	}
}
