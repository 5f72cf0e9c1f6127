package deploy

import (
	"errors"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"boathook/receive/apps"
	"boathook/receive/state"
	"boathook/runner"
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

// TestSizes is the table of the specification: what a container of each size is limited to, and what it is told of that. No size is M.
func TestSizes(t *testing.T) {
	const low, standard, high = 512, 1024, 2048
	for _, test := range []struct {
		size, told   string
		memory, pids int64 // memory in MB
		cpu          int64
	}{
		{"S", "S", 256, 128, low},
		{"M", "M", 512, 256, standard},
		{"L", "L", 1024, 512, standard},
		{"XL", "XL", 2048, 1024, high},
		{"2XL", "2XL", 4096, 2048, high},
		{"3XL", "3XL", 8192, 4096, high},
		{"", "M", 512, 256, standard},
	} {
		d := &Deployer{}
		spec, err := d.spec(state.App{Name: "my-app"}, state.Release{Deployment: 1, Launcher: []string{"sh"}}, nil, state.ProcessType{Name: "web", Command: "run", Size: test.size, Amount: 1})
		check(t, err)
		if diff := cmp.Diff(runner.Limits{Memory: test.memory << 20, PIDs: test.pids, CPU: test.cpu}, spec.Limits); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.size, diff)
		}
		told := []string{spec.Env["CONTAINER_SIZE"], spec.Env["CONTAINER_MEMORY"]}
		if diff := cmp.Diff([]string{test.told, strconv.FormatInt(test.memory<<20, 10)}, told); diff != "" {
			t.Errorf("%s is told (-want +got):\n%s", test.size, diff)
		}
	}
	if len(sizes) != 6 {
		t.Errorf("there are %d sizes, not 6", len(sizes))
	}
}

// Who sets a variable of the platform's is told that it has no effect.
func TestOfPlatform(t *testing.T) {
	for name := range (&Deployer{}).environment(state.App{}, state.Release{}, nil, "M") {
		if !apps.OfPlatform(name) {
			t.Errorf("%s is the platform's, and env-set does not say so", name)
		}
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
