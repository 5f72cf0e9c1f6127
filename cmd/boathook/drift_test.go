package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"boathook/cmd/boathook/scenes"
)

// TestDrift does to an app's containers what an operator, or a reboot of the host, does behind boathook's back: in the end the whole
// formation runs again and answers.
func TestDrift(t *testing.T) {
	scenes.NeedDocker(t)
	t.Parallel()
	w := newWalk(t, "docker", scenes.Fixture(t))
	b := w.serve()
	defer b.stop()
	before := b.running()
	for _, args := range [][]string{{"kill"}, {"stop", "-t", "1"}, {"rm", "-f"}, {"restart", "-t", "1"}} {
		ids := make([]string, 0, len(before))
		for _, entry := range b.running() {
			id, _, _ := strings.Cut(entry, " ")
			ids = append(ids, id)
		}
		if out, err := exec.CommandContext(t.Context(), "docker", append(args, ids...)...).CombinedOutput(); err != nil {
			t.Fatalf("docker %v: %v\n%s", args, err, out)
		}
		for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
			up := 0
			for name, entry := range b.running() {
				if _, known := before[name]; known && strings.HasSuffix(entry, " running") {
					up++
				}
			}
			if up == len(before) && len(b.running()) == up && b.answers() {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("after docker %v: %v", args, b.running())
			}
		}
	}
}
