package command

import (
	"strings"
	"testing"
)

// The usages and summaries stand in one column right of the longest name, and no line is longer than the terminal is wide.
func TestHelpFitsTheTerminal(t *testing.T) {
	w := newWorld(t)
	for _, width := range []int{0, 50, 80, 120} {
		for _, line := range []string{"help", "help run", "logs --help"} {
			_, text, _ := w.runOn(width, bob, line, "")
			for line := range strings.Lines(text) {
				if n := columns(strings.TrimSuffix(line, "\n")); width > 0 && n > width {
					t.Errorf("%s, width %d: a line of %d: %q", line, width, n, line)
				}
			}
		}
		_, text, _ := w.runOn(width, bob, "help", "")
		for line := range strings.Lines(text) {
			name := strings.TrimRight(line[:min(25, len(line))], " ")
			if _, ok := Commands().find(name); name != "" && !ok || line[24] != ' ' || line[25] == ' ' {
				t.Errorf("width %d: out of line: %q", width, line)
			}
		}
		if n := strings.Count(text, "\n"); width == 0 && n != 2*len(Commands()) {
			t.Errorf("%d lines without a terminal, want two for a command", n)
		}
	}
}
