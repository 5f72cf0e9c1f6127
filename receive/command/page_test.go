package command

import "testing"

// What a collaborator has given for a page must not drive the terminal of whoever looks; a script gets it to the byte.
func TestPagesAreShown(t *testing.T) {
	w := newWorld(t)
	const page = "<p>\tback\x1b[2J\u009b1m\u202e\n"
	for _, name := range []string{"maintenance-page", "error-page"} {
		w.mustRun(alice, name+" my-app", page)
		if got := w.mustRun(lily, name+" my-app --show", ""); got != page {
			t.Errorf("%s for a script: %q", name, got)
		}
		if _, got, _ := w.runOn(80, lily, name+" my-app --show", ""); got != "<p>\tback\ufffd[2J\ufffd1m\ufffd\n" {
			t.Errorf("%s on a terminal: %q", name, got)
		}
	}
}
