package main

import (
	"strings"
	"testing"

	"boathook/cmd/boathook/scenes"
)

// TestDemo takes the tour of `boathook demo --once`; the tour itself fails unless everything was seen that it shows.
func TestDemo(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"local", "docker"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			if engine == "docker" {
				scenes.NeedDocker(t)
			}
			d := startDemo(t, "--once", "--engine", engine)
			d.ends(0, "Nothing of the demo is left.\n")
			for _, want := range []string{"engine: " + engine, "[remote rejected] master -> master (hook-error)", "git remote add scalingo ssh://git@127.0.0.1:"} {
				if out := d.output.text(); !strings.Contains(out, want) {
					t.Errorf("the demo did not show %q\n%s", want, out)
				}
			}
		})
	}
}
