package command

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTablesFitTheTerminal(t *testing.T) {
	for width, want := range map[int]string{
		0:  "NAME   STATUS       COMMAND\nweb-1  running      serve on every address\nwo-1   build-error  ü\ufffd[2J\n",
		40: "web-1  \x1b[32mrunning\x1b[0m      serve on every addr…\n",
		12: "web-1  \x1b[32mrunn\x1b[0m…\nwo-1   \x1b[31mbuil\x1b[0m…\n",
		6:  "web-1\n",
		3:  "we…\n",
	} {
		var out strings.Builder
		c := &Call{Stdout: &out, Width: width}
		rows := [][]string{{"web-1", "running", "serve on every address"}, {"wo-1", "build-error", "ü\x1b[2J"}}
		if err := printList(c, rows, "NAME STATUS COMMAND", func(row []string) []string { return append([]string{}, row...) }); err != nil {
			t.Fatal(err)
		}
		plain := strings.NewReplacer("\x1b[32m", "", "\x1b[31m", "", "\x1b[0m", "").Replace(out.String())
		if !strings.Contains(out.String(), want) {
			t.Errorf("width %d: %q, want %q", width, out.String(), want)
		}
		for line := range strings.Lines(plain) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); width > 0 && n > width {
				t.Errorf("width %d: a line of %d: %q", width, n, line)
			}
		}
		if strings.Contains(plain, "\x1b") {
			t.Errorf("width %d: %q", width, plain)
		}
	}
}
