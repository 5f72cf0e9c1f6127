package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestDemo takes the tour of `boathook demo --once`; the tour itself fails unless everything was seen that it shows.
func TestDemo(t *testing.T) {
	for _, engine := range []string{"local", "docker"} {
		t.Run(engine, func(t *testing.T) {
			if engine == "docker" {
				needDocker(t)
			}
			t.Setenv("TMPDIR", t.TempDir())
			var out bytes.Buffer
			if code := run(t.Context(), []string{"demo", "--once", "--engine", engine}, strings.NewReader(""), &out, &out); code != 0 {
				t.Fatalf("exit %d\n%s", code, out.String())
			}
			for _, want := range []string{"engine: " + engine, "[remote rejected] master -> master (hook-error)", "git remote add scalingo ssh://git@127.0.0.1:"} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("the demo did not show %q\n%s", want, out.String())
				}
			}
			if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
				t.Errorf("left in the temporary directory: %v, %v", left, err)
			}
		})
	}
}
