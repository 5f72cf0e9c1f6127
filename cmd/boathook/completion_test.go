package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// scriptFor is what `boathook completion SHELL` prints, in a file.
func scriptFor(t *testing.T, shell string) string {
	t.Helper()
	if _, err := exec.LookPath(shell); err != nil {
		t.Skipf("%s is not installed on this machine", shell)
	}
	var script, complaint strings.Builder
	if code := run(t.Context(), []string{"completion", shell}, strings.NewReader(""), &script, &complaint); code != 0 {
		t.Fatalf("exit %d: %s", code, &complaint)
	}
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte(script.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// typed is what a person has typed so far, and what it becomes: the words that remain possible.
var typed = map[string]string{
	"boathook dest": "destroy", "boathook syst": "systemd-unit", "boathook logs ": "my-app new-app", "boathook ps n": "new-app",
	"boathook keys n": "", "boathook help rol": "rollback", "boathook logs my-app x": "",
	"boathook run ": "my-app new-app", "boathook run n": "new-app", "boathook create ": "", "boathook create n": "", "boathook rout": "router router-logs",
}

// TestCompletion has bash complete.
func TestCompletion(t *testing.T) {
	script := scriptFor(t, "bash")
	const world = "\nboathook() { printf 'APP STATUS\\nmy-app running\\nnew-app new\\n'; }\n"
	for line, want := range typed {
		words := strings.Split(line, " ")
		ask := "source " + script + world + "COMP_WORDS=(" + strings.Join(words[:len(words)-1], " ") + " '" + words[len(words)-1] + "'); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _boathook; echo ${COMPREPLY[*]}"
		got, err := exec.Command("bash", "-c", ask).CombinedOutput()
		if err != nil || strings.TrimSpace(string(got)) != want {
			t.Errorf("%q: %q, %v; want %q", line, got, err, want)
		}
	}
	var out, complaint strings.Builder
	if code := run(t.Context(), []string{"completion", "tcsh"}, strings.NewReader(""), &out, &complaint); code != 2 || !strings.Contains(complaint.String(), "which shell?") {
		t.Errorf("another shell: exit %d, %s", code, &complaint)
	}
}

// TestFishCompletion asks fish itself, which tells what it would offer.
func TestFishCompletion(t *testing.T) {
	script := scriptFor(t, "fish")
	const world = "; function boathook; printf 'APP STATUS\\nmy-app running\\nnew-app new\\n'; end; "
	for line, want := range typed {
		fish := exec.Command("fish", "--no-config", "-c", "source "+script+world+"complete -C '"+line+"'")
		fish.Dir, fish.Env = t.TempDir(), append(os.Environ(), "HOME="+t.TempDir())
		got, err := fish.CombinedOutput()
		if err != nil || strings.Join(strings.Fields(string(got)), " ") != want {
			t.Errorf("%q: %q, %v; want %q", line, got, err, want)
		}
	}
}

// TestZshCompletion types into a zsh on a terminal of zsh's own (zshmodules(1), zsh/zpty): what is typed, a tab, and the end of the line. A command that
// only shows its words tells what the line has become.
func TestZshCompletion(t *testing.T) {
	script := scriptFor(t, "zsh")
	const world = `boathook() { if [[ $1 == apps && $# == 1 ]]; then printf 'APP STATUS\nmy-app running\nnew-app new\n'; else print -r -- "<""$*"">"; fi }`
	const driver = `
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "unsetopt beep; PS1=; autoload -Uz compinit; compinit -u -D; source $1; $2; print re''ady"
zpty -r z out '*ready*'
zpty -w z "boathook "$3$'\t'
zpty -r z out $'*<*>*'
print -r -- $out
zpty -d z`
	for line, want := range map[string]string{
		"dest": "destroy", "syst": "systemd-unit", "ps n": "ps new-app", "logs m": "logs my-app", "keys n": "keys n", "help rol": "help rollback", "logs my-app x": "logs my-app x",
		"run n": "run new-app", "create n": "create n",
	} {
		zsh := exec.CommandContext(t.Context(), "zsh", "-f", "-c", driver, "driver", script, world, line)
		zsh.Dir, zsh.Env = t.TempDir(), append(os.Environ(), "HOME="+t.TempDir(), "TERM=dumb")
		got, err := zsh.CombinedOutput()
		_, rest, _ := strings.Cut(string(got), "<")
		words, _, _ := strings.Cut(rest, ">")
		if err != nil || words != want {
			t.Errorf("%q: %q, %v; want %q", line, got, err, want)
		}
	}
}
