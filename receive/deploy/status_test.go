package deploy

import (
	"testing"
	"time"

	"boathook/receive/state"
	"boathook/runner"
)

func TestStatus(t *testing.T) {
	r := newRuin(t)
	d := r.deployer(Limits{Crashes: 1})
	one := func(release, processType string, phase runner.Phase) runner.Instance {
		return runner.Instance{Group: runner.Group{App: "my-app", Release: release, Type: processType}, ID: release + processType, Number: 1, Phase: phase}
	}
	check := func(name, want string, live int64, amount int, instances ...runner.Instance) {
		t.Helper()
		if got := d.status(state.App{Name: "my-app", Live: live}, amount, instances); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	check("first deployment under way", "new", 0, 1, one("1", "web", runner.Running))
	check("all there", "running", 2, 1, one("2", "web", runner.Running), one("1", "web", runner.Exited))
	check("one missing", "booting", 2, 2, one("2", "web", runner.Running))
	check("only the hook of the next one", "booting", 2, 1, one("3", "web", runner.Running), one("2", "postdeploy", runner.Running))
	check("between two runs", "restarting", 2, 1, one("2", "web", runner.Restarting))
	check("scaled to nothing", "stopped", 2, 0)

	give, _ := d.claims.try("my-app", "scaling")
	check("being scaled", "scaling", 2, 1, one("2", "web", runner.Running))
	give()
	give, _ = d.claims.try("my-app", "restart")
	check("being restarted", "restarting", 2, 1, one("2", "web", runner.Running))
	give()

	lost := one("2", "worker", runner.Exited)
	d.reconciler.crashes.see(lost, lost.Started)
	d.reconciler.crashes.giveUp(slotOf(lost), time.Now())
	check("a worker given up", "crashed", 2, 2, one("2", "web", runner.Running))
	check("a worker given up whose last run still goes", "crashed", 2, 2, one("2", "web", runner.Running), one("2", "worker", runner.Restarting))
	check("the next release", "running", 3, 1, one("3", "web", runner.Running))
}
