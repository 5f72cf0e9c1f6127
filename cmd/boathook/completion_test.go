package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestCompletion has bash complete what a person has typed so far.
func TestCompletion(t *testing.T) {
	var script, complaint strings.Builder
	if code := run(t.Context(), []string{"completion", "bash"}, strings.NewReader(""), &script, &complaint); code != 0 {
		t.Fatalf("exit %d: %s", code, &complaint)
	}
	const world = "\nboathook() { printf 'APP STATUS\\nmy-app running\\nnew-app new\\n'; }\n"
	for typed, want := range map[string]string{
		"boathook dest": "destroy", "boathook syst": "systemd-unit", "boathook logs ": "my-app new-app", "boathook ps n": "new-app",
		"boathook keys n": "", "boathook help rol": "rollback", "boathook logs my-app x": "",
	} {
		words := strings.Split(typed, " ")
		ask := script.String() + world + "COMP_WORDS=(" + strings.Join(words[:len(words)-1], " ") + " '" + words[len(words)-1] + "'); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _boathook; echo ${COMPREPLY[*]}"
		got, err := exec.Command("bash", "-c", ask).CombinedOutput()
		if err != nil || strings.TrimSpace(string(got)) != want {
			t.Errorf("%q: %q, %v; want %q", typed, got, err, want)
		}
	}
	if code := run(t.Context(), []string{"completion", "tcsh"}, strings.NewReader(""), &script, &complaint); code != 2 || !strings.Contains(complaint.String(), "which shell?") {
		t.Errorf("another shell: exit %d, %s", code, &complaint)
	}
}
