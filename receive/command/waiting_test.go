package command

import "testing"

// TestWaitingIsTold has commands wait for a deployment: that is told on standard error, so that what they print stays what it is.
func TestWaitingIsTold(t *testing.T) {
	w := newWorld(t)
	w.runtime.ahead = "deployment 2 of alice"
	const waiting = "Waiting for deployment 2 of alice to finish...\n"
	for _, a := range []attempt{
		{alice, "scale my-app web:+1 --json", "", 0, `[{"type":"web","amount":2,"size":"M"}]` + "\n", waiting},
		{lily, "restart my-app web --json", "", 0, `{"restarted":"my-app","types":["web"]}` + "\n", waiting},
		{alice, "env-set my-app A=1 --restart", "", 0, "A is set for my-app, and the app is restarted\n", waiting},
		{alice, "destroy my-app --force --json", "", 0, `{"name":"my-app","removed":true}` + "\n", waiting},
	} {
		w.try(a)
	}
}
