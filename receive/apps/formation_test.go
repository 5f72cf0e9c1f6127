package apps

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"boathook/receive/state"

	"github.com/google/go-cmp/cmp"
)

func TestScale(t *testing.T) {
	web := state.ProcessType{Name: "web", Amount: 1, Size: "M"}
	for _, test := range []struct {
		name    string
		changes []Change
		want    []state.ProcessType
		refusal string
	}{
		{"to a number", []Change{{Type: "web", Amount: 3}}, []state.ProcessType{{Name: "web", Amount: 3, Size: "M"}}, ""},
		{"to none", []Change{{Type: "web"}}, []state.ProcessType{{Name: "web", Size: "M"}}, ""},
		{"up", []Change{{Type: "web", Amount: 2, Relative: true}}, []state.ProcessType{{Name: "web", Amount: 3, Size: "M"}}, ""},
		{"down", []Change{{Type: "web", Amount: -1, Relative: true}}, []state.ProcessType{{Name: "web", Size: "M"}}, ""},
		{"size", []Change{{Type: "web", Relative: true, Size: "2XL"}}, []state.ProcessType{{Name: "web", Amount: 1, Size: "2XL"}}, ""},
		{"another type", []Change{{Type: "worker", Amount: 1}}, []state.ProcessType{web, {Name: "worker", Amount: 1, Size: "M"}}, ""},
		{"two", []Change{{Type: "web", Amount: 100}, {Type: "worker", Amount: 2, Size: "S"}}, []state.ProcessType{{Name: "web", Amount: 100, Size: "M"}, {Name: "worker", Amount: 2, Size: "S"}}, ""},
		{"below none", []Change{{Type: "web", Amount: -2, Relative: true}}, nil, "web cannot have -1 containers: choose 0 to 100"},
		{"too many", []Change{{Type: "web", Amount: 101}}, nil, "web cannot have 101 containers: choose 0 to 100"},
		{"past the integers", []Change{{Type: "web", Amount: math.MaxInt, Relative: true}}, nil, "choose 0 to 100"},
		{"no such size", []Change{{Type: "web", Amount: 1, Size: "XXL"}}, nil, `"XXL" is not a size: choose S, M, L, XL, 2XL or 3XL`},
		{"no such type", []Change{{Type: "clock", Amount: 1}}, nil, `there is no process type "clock": the app has web, worker`},
		{"hook", []Change{{Type: "postdeploy", Amount: 1}}, nil, "postdeploy is a hook and runs by itself"},
		{"no type at all", []Change{{Type: "../web", Amount: 1}}, nil, "cannot name a process type"},
		{"one of two", []Change{{Type: "web", Amount: 5}, {Type: "clock", Amount: 1}}, nil, "there is no process type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			got, err := w.Scale(t.Context(), colin, "my-app", test.changes, silent)
			wantText(t, err, test.refusal)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			stored, err := w.store.Formation(t.Context(), "my-app")
			w.must(err)
			want := test.want
			if test.refusal != "" {
				want = []state.ProcessType{web}
			}
			if diff := cmp.Diff(want, stored); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Before the first deployment nobody knows the types: the wish is kept for it.
func TestScaleBeforeTheFirstDeployment(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	_, err := w.Create(ctx, olga, "new-app", "")
	w.must(err)
	got, err := w.Scale(ctx, olga, "new-app", []Change{{Type: "clock", Amount: 2, Size: "L"}}, silent)
	w.must(err)
	if diff := cmp.Diff([]state.ProcessType{{Name: "clock", Amount: 2, Size: "L"}}, got); diff != "" {
		t.Error(diff)
	}
	_, err = w.Scale(ctx, olga, "new-app", []Change{{Type: "not a type", Amount: 2}}, silent)
	wantText(t, err, "cannot name a process type")
}

// What counts is the app as it is when the scaling's turn has come: while it waited a deployment has added the type clock, and a
// colleague has scaled web.
func TestScaleThatHasWaited(t *testing.T) {
	w := newWorld(t)
	w.runtime.turn = func() {
		w.deployTypes(map[string]string{"web": "run", "clock": "tick"}, state.ProcessType{Name: "clock", Amount: 1, Size: "S"}, state.ProcessType{Name: "web", Amount: 3, Size: "L"})
	}
	got, err := w.Scale(t.Context(), olga, "my-app", []Change{{Type: "web", Amount: 1, Relative: true}, {Type: "clock", Amount: 1, Relative: true}, {Type: "web", Amount: 1, Relative: true}}, silent)
	w.must(err)
	if diff := cmp.Diff([]state.ProcessType{{Name: "clock", Amount: 2, Size: "S"}, {Name: "web", Amount: 5, Size: "L"}}, got); diff != "" {
		t.Error(diff)
	}
	_, err = w.Scale(t.Context(), olga, "my-app", []Change{{Type: "worker", Amount: 1}}, silent)
	wantText(t, err, `there is no process type "worker": the app has clock, web`)
}

func TestScaleThatFails(t *testing.T) {
	w := newWorld(t)
	w.runtime.fail = errors.New("no memory")
	_, err := w.Scale(t.Context(), olga, "my-app", []Change{{Type: "web", Amount: 2}}, silent)
	wantText(t, err, "no memory")
}

func TestDeploymentLog(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	_, err := w.Create(ctx, steve, "steves-app", "")
	w.must(err)
	for _, test := range []struct {
		name   string
		caller Caller
		app    string
		id     int64
		want   string
	}{
		{"the newest", lily, "my-app", 0, ""},
		{"by number", lily, "my-app", w.deployment, ""},
		{"no such", lily, "my-app", 99, "my-app has no deployment 99"},
		{"another app's", steve, "steves-app", w.deployment, "steves-app has no deployment 1"},
		{"none yet", steve, "steves-app", 0, "steves-app has no deployment yet"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			d, err := w.DeploymentLog(ctx, test.caller, test.app, test.id, &log)
			wantText(t, err, test.want)
			if got, want := log.String() == "built\n" && d.ID == w.deployment, test.want == ""; got != want {
				t.Errorf("log %q of deployment %d", log.String(), d.ID)
			}
		})
	}
}
