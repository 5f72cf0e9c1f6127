package command

import (
	"strings"
	"testing"
	"time"

	"boathook/receive/state"

	"github.com/google/go-cmp/cmp"
)

// What is live is nothing to go back to, however often it was deployed.
func TestRollbackToTheLiveImage(t *testing.T) {
	w := newWorld(t)
	w.deploy()
	w.try(attempt{alice, "rollback my-app", "", 1, "", "my-app has no earlier release: 'deployments my-app' lists what there was\n"})
}

// One that has ended tells how long it took, one under way how long it has taken.
func TestDeploymentLines(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	before := func(d time.Duration) time.Time { return now.Add(-d) }
	all := []state.Deployment{
		{ID: 4, Status: state.Building, Ref: "refs/heads/master", Commit: "c0ffee00c0ffee00", Pusher: "alice", Created: before(83 * time.Second)},
		{ID: 3, Status: state.Success, Ref: "refs/heads/feature/x", Commit: "c0ffee", Pusher: "bob", Created: before(47 * time.Hour), Finished: before(47*time.Hour - 90*time.Second)},
		{ID: 2, Status: state.BuildError, Ref: "main", Pusher: "bob", Created: before(72 * time.Hour), Finished: before(72*time.Hour - 400*time.Millisecond)},
		{ID: 1, Status: state.Queued, Pusher: "bob", Created: now.Add(time.Second)}, // a clock that was set back
	}
	var got []string
	var seconds []float64
	for _, line := range deploymentLines(all, now) {
		got, seconds = append(got, strings.Join(line.cells(now), " ")), append(seconds, line.Duration)
	}
	want := []string{
		"4 building master c0ffee00 alice 1m23s 1m ago",
		"3 success feature/x c0ffee bob 1m30s 47h ago",
		"2 build-error main  bob 0s 3d ago",
		"1 queued -  bob 0s 0s ago",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]float64{83, 90, 0.4, 0}, seconds); diff != "" {
		t.Error(diff)
	}
}
