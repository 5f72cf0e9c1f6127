package deploy

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"boathook/receive/state"
)

func TestResolveAliases(t *testing.T) {
	got := resolveAliases(map[string]string{
		"MONGO": "mongodb://x", "DATABASE_URL": "$MONGO", "TWICE": "$DATABASE_URL",
		"A": "$B", "B": "$A", "SELF": "$SELF", "UNKNOWN": "$NOPE", "PRICE": "costs $MONGO",
	})
	want := map[string]string{
		"MONGO": "mongodb://x", "DATABASE_URL": "mongodb://x", "TWICE": "mongodb://x",
		"A": "$B", "B": "$A", "SELF": "$SELF", "UNKNOWN": "$NOPE", "PRICE": "costs $MONGO",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPlanFormation(t *testing.T) {
	types := map[string]string{"web": "run-web", "worker": "run-worker", "postdeploy": "migrate", "release": "x"}
	for _, test := range []struct {
		name   string
		stored []state.ProcessType
		want   []state.ProcessType
		fails  state.Status
	}{
		{name: "new types", want: []state.ProcessType{
			{Name: "web", Command: "run-web", Amount: 1, Size: "M"}, {Name: "worker", Command: "run-worker", Size: "M"}}},
		{name: "stored amounts and sizes",
			stored: []state.ProcessType{{Name: "web", Amount: 0, Size: "L"}, {Name: "worker", Amount: 3, Size: "S"}},
			want: []state.ProcessType{
				{Name: "web", Command: "run-web", Size: "L"}, {Name: "worker", Command: "run-worker", Amount: 3, Size: "S"}}},
		{name: "a type that has gone and was scaled down", stored: []state.ProcessType{{Name: "clock"}},
			want: []state.ProcessType{{Name: "web", Command: "run-web", Amount: 1, Size: "M"}, {Name: "worker", Command: "run-worker", Size: "M"}}},
		{name: "a type that has gone but is scaled up", stored: []state.ProcessType{{Name: "clock", Amount: 1}}, fails: state.BuildError},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := planFormation(test.stored, types)
			var failure *Failure
			if errors.As(err, &failure); test.fails != "" {
				if failure == nil || failure.Status != test.fails {
					t.Fatalf("got %v, want status %s", err, test.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestArgv(t *testing.T) {
	env := map[string]string{"PORT": "5000"}
	for _, test := range []struct {
		name     string
		launcher []string
		command  string
		want     []string
	}{
		{"one argument for the launcher", []string{"/bin/launch"}, "a && b", []string{"/bin/launch", "a && b"}},
		{"words without a shell", nil, `/server -listen ":$PORT" 'a b'`, []string{"/server", "-listen", ":5000", "a b"}},
		{"the image's own command", nil, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := argv(state.Release{Launcher: test.launcher}, test.command, env)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
