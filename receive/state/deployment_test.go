package state

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// deployed makes a deployment of my-app and takes it through steps.
func deployed(t *testing.T, s *Store, steps ...Status) int64 {
	t.Helper()
	d, err := s.CreateDeployment(t.Context(), Deployment{App: "my-app", Ref: "refs/heads/master", Commit: "c0ffee", Pusher: "alice"})
	must(t, err)
	for _, step := range steps {
		must(t, s.SetStatus(t.Context(), d.ID, step, ""))
	}
	return d.ID
}

// started is a deployment whose release is ready to go live.
func started(t *testing.T, s *Store) int64 {
	t.Helper()
	id := deployed(t, s, Building, Pushing, Starting)
	must(t, s.SaveRelease(t.Context(), Release{Deployment: id, App: "my-app"}))
	return id
}

func TestStatusOrder(t *testing.T) {
	all := []Status{Queued, Building, Pushing, Starting, Success, Aborted, BuildError, CrashedError, TimeoutError, HookError, "nonsense", ""}
	legal := map[Status]Status{Queued: Building, Building: Pushing, Pushing: Starting, Starting: Success}
	for _, from := range all {
		next, goesOn := legal[from]
		if from.Finished() == goesOn {
			t.Errorf("%q.Finished() = %t", from, from.Finished())
		}
		for _, to := range all {
			failure := slices.Contains([]Status{Aborted, BuildError, CrashedError, TimeoutError, HookError}, to)
			if want := goesOn && (to == next || failure); from.mayBecome(to) != want {
				t.Errorf("from %q to %q: %t, want %t", from, to, !want, want)
			}
		}
	}
}

func TestDeploymentIsRecorded(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	id := deployed(t, s, Building)
	must(t, s.RecordPhase(ctx, id, "queue", time.Second))
	must(t, s.RecordPhase(ctx, id, "build", time.Minute))
	must(t, s.SetStatus(ctx, id, BuildError, "exit status 1"))

	d, err := s.Deployment(ctx, id)
	must(t, err)
	if d.Status != BuildError || d.Reason != "exit status 1" || d.Ref != "refs/heads/master" || d.Commit != "c0ffee" || d.Pusher != "alice" || d.Finished.IsZero() {
		t.Errorf("deployment %+v", d)
	}
	var steps []Status
	for i, step := range d.Transitions {
		steps = append(steps, step.Status)
		if i > 0 && step.At.Before(d.Transitions[i-1].At) {
			t.Errorf("%s at %v, before the step it follows", step.Status, step.At)
		}
	}
	if diff := cmp.Diff([]Status{Queued, Building, BuildError}, steps); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]time.Duration{"queue": time.Second, "build": time.Minute}, d.Phases); diff != "" {
		t.Error(diff)
	}

	for _, status := range []Status{Aborted, Pushing, BuildError} {
		if err := s.SetStatus(ctx, id, status, "late"); err == nil {
			t.Errorf("%s after the end is accepted", status)
		}
	}
	if again, err := s.Deployment(ctx, id); err != nil || again.Reason != "exit status 1" || len(again.Transitions) != 3 {
		t.Errorf("after the end: %+v, %v", again, err)
	}
}

func TestUnknownDeployment(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	wantErr(t, second(s.Deployment(ctx, 7)), ErrNotFound)
	wantErr(t, s.SetStatus(ctx, 7, Building, ""), ErrNotFound)
	wantErr(t, s.GoLive(ctx, 7, nil), ErrNotFound)
	wantErr(t, s.RecordPhase(ctx, 7, "build", 1), ErrNotFound)
	wantErr(t, s.AppendLog(ctx, 7, []byte("x")), ErrNotFound)
	wantErr(t, s.SaveRelease(ctx, Release{Deployment: 7}), ErrNotFound)
	wantErr(t, second(s.CreateDeployment(ctx, Deployment{App: "no-app"})), ErrNotFound)
}

func TestListingDeployments(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	first := deployed(t, s, Building, Aborted)
	middle, last := deployed(t, s, Building), deployed(t, s)
	ids := func(all []Deployment, err error) (ids []int64) {
		must(t, err)
		for _, d := range all {
			ids = append(ids, d.ID)
		}
		return ids
	}
	for _, test := range []struct {
		name      string
		got, want []int64
	}{
		{"all", ids(s.Deployments(ctx, "my-app", 0)), []int64{last, middle, first}},
		{"two", ids(s.Deployments(ctx, "my-app", 2)), []int64{last, middle}},
		{"another app's", ids(s.Deployments(ctx, "no-app", 0)), nil},
		{"unfinished", ids(s.Unfinished(ctx)), []int64{middle, last}},
	} {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

func TestGoLive(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	id := started(t, s)
	formation := []ProcessType{{Name: "web", Command: "run", Amount: 1, Size: "M"}}
	must(t, s.GoLive(ctx, id, formation))
	app, err := s.App(ctx, "my-app")
	must(t, err)
	d, err := s.Deployment(ctx, id)
	must(t, err)
	if app.Live != id || d.Status != Success || d.Finished.IsZero() {
		t.Errorf("app %+v, deployment %+v", app, d)
	}
	got, err := s.Formation(ctx, "my-app")
	must(t, err)
	if diff := cmp.Diff(formation, got); diff != "" {
		t.Error(diff)
	}
}

// Nothing of a GoLive that cannot be finished may stay: neither status nor live release nor formation.
func TestGoLiveAllOrNothing(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	old := started(t, s)
	formation := []ProcessType{{Name: "web", Command: "old", Amount: 1, Size: "M"}}
	must(t, s.GoLive(ctx, old, formation))

	next := started(t, s)
	building := deployed(t, s, Building)
	without := deployed(t, s, Building, Pushing, Starting)
	failed := deployed(t, s, Building, Aborted)
	for _, test := range []struct {
		name      string
		id        int64
		formation []ProcessType
	}{
		{"a formation that cannot be stored", next, []ProcessType{{Name: "web"}, {Name: "web"}}},
		{"still building", building, nil},
		{"no release", without, nil},
		{"failed", failed, nil},
		{"live already", old, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, err := s.Deployment(ctx, test.id)
			must(t, err)
			if err := s.GoLive(ctx, test.id, test.formation); err == nil {
				t.Fatal("accepted")
			}
			after, err := s.Deployment(ctx, test.id)
			must(t, err)
			if diff := cmp.Diff(before, after); diff != "" {
				t.Error(diff)
			}
			app, err := s.App(ctx, "my-app")
			must(t, err)
			if app.Live != old {
				t.Errorf("live is %d, want %d", app.Live, old)
			}
			got, err := s.Formation(ctx, "my-app")
			must(t, err)
			if diff := cmp.Diff(formation, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if err := s.SetStatus(ctx, next, Success, ""); err == nil {
		t.Error("success without going live is accepted")
	}
}

func TestLogs(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	one, two := deployed(t, s), deployed(t, s)
	for _, chunk := range []string{"first ", "", "line\n", "\x00\xff"} {
		must(t, s.AppendLog(ctx, one, []byte(chunk)))
		must(t, s.AppendLog(ctx, two, []byte("other\n")))
	}
	must(t, s.AppendLog(ctx, one, nil))
	var log bytes.Buffer
	must(t, second(s.WriteLog(ctx, one, 0, &log)))
	if log.String() != "first line\n\x00\xff" {
		t.Errorf("log %q", log.String())
	}
	last, err := s.WriteLog(ctx, one, 0, io.Discard)
	must(t, err)
	must(t, s.AppendLog(ctx, one, []byte("more")))
	log.Reset()
	must(t, second(s.WriteLog(ctx, one, last, &log)))
	if log.String() != "more" {
		t.Errorf("what came since: %q", log.String())
	}
	log.Reset()
	must(t, second(s.WriteLog(ctx, 99, 0, &log)))
	if log.Len() > 0 {
		t.Errorf("log of no deployment: %q", log.String())
	}
	gone := errors.New("the reader is gone")
	wantErr(t, second(s.WriteLog(ctx, one, 0, writer(func([]byte) (int, error) { return 0, gone }))), gone)
}

// A reader that uses the store while it is written to would wait for ever for a connection that WriteLog held.
func TestWriteLogHoldsNoConnection(t *testing.T) {
	s := withApp(t)
	id := deployed(t, s)
	must(t, s.AppendLog(t.Context(), id, []byte("x")))
	must(t, second(s.WriteLog(t.Context(), id, 0, writer(func(p []byte) (int, error) {
		return len(p), second(s.Apps(t.Context()))
	}))))
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestReleases(t *testing.T) {
	s := withApp(t)
	ctx := t.Context()
	first, last := deployed(t, s), deployed(t, s)
	want := Release{
		Deployment: first, App: "my-app", Commit: "c0ffee", Image: "img:1", Stack: "stack", Launcher: []string{"/start", "a b"},
		Types: map[string]string{"web": "run 'x'"}, Size: 5 << 30,
	}
	must(t, s.SaveRelease(ctx, want))
	must(t, s.SaveRelease(ctx, Release{Deployment: last, App: "my-app"}))
	wantErr(t, s.SaveRelease(ctx, want), ErrExists)

	got, err := s.Release(ctx, first)
	must(t, err)
	if got.Created.IsZero() {
		t.Error("no time")
	}
	want.Created = got.Created
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	all, err := s.Releases(ctx, "my-app")
	must(t, err)
	if len(all) != 2 || all[0].Deployment != last || all[1].Deployment != first {
		t.Errorf("releases %+v", all)
	}
	must(t, s.DeleteRelease(ctx, first))
	wantErr(t, s.DeleteRelease(ctx, first), ErrNotFound)
	wantErr(t, second(s.Release(ctx, first)), ErrNotFound)

	// The deployment keeps the name of its image when the release is gone.
	d, err := s.Deployment(ctx, first)
	must(t, err)
	if d.Image != "img:1" {
		t.Errorf("image %q", d.Image)
	}
}
