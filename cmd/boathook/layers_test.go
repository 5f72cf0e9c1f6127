package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestLayers keeps the direction of the packages: builder, runner and router know neither each other nor receive; only
// receive/deploy knows all three.
func TestLayers(t *testing.T) {
	for _, rule := range []struct{ packages, forbidden string }{
		{"boathook/builder/...", "boathook/runner boathook/router boathook/receive"},
		{"boathook/runner/...", "boathook/builder boathook/router boathook/receive"},
		{"boathook/router/...", "boathook/builder boathook/runner boathook/receive"},
		{"boathook/receive boathook/receive/gitpack boathook/receive/state boathook/receive/apps boathook/receive/command",
			"boathook/builder boathook/runner boathook/router boathook/receive/deploy"},
	} {
		args := append([]string{"list", "-deps"}, strings.Fields(rule.packages)...)
		out, err := exec.Command("go", args...).Output()
		if err != nil {
			t.Fatalf("go %v: %v", args, err)
		}
		for dep := range strings.Lines(string(out)) {
			dep = strings.TrimSpace(dep)
			for _, forbidden := range strings.Fields(rule.forbidden) {
				if dep == forbidden || strings.HasPrefix(dep, forbidden+"/") && !strings.Contains(rule.packages, dep) {
					t.Errorf("%s depends on %s", rule.packages, dep)
				}
			}
		}
	}
}
