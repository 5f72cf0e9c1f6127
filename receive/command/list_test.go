package command

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTablesFitTheTerminal(t *testing.T) {
	for width, want := range map[int]string{
		0:  "NAME   STATUS       COMMAND\nweb-1  running      serve on every address there is\nwo-1   build-error  ü\ufffd[2J\n",
		51: "web-1  \x1b[32mrunning\x1b[0m      serve on every address there is\n",
		44: "web-1  \x1b[32mrunning\x1b[0m      serve on every address …\n",
		43: "web-1  \x1b[32mrunning\x1b[0m\n    serve on every address there is\nwo-1   \x1b[31mbuild-error\x1b[0m\n    ü",
		15: "web-1\n    \x1b[32mrunning\x1b[0m\n    serve on e…\nwo-1\n",
		2:  "web-1\n    \x1b[32mrunning\x1b[0m\n    …\n", // the terminal breaks names
	} {
		rows := [][]string{{"web-1", "running", "serve on every address there is"}, {"wo-1", "build-error", "ü\x1b[2J"}}
		got := tableOf(t, width, "NAME STATUS COMMAND", rows)
		if !strings.Contains(got, want) {
			t.Errorf("width %d: %q, want %q", width, got, want)
		}
		plain := strings.NewReplacer("\x1b[32m", "", "\x1b[31m", "", "\x1b[0m", "").Replace(got)
		for line := range strings.Lines(plain) {
			if n := columns(strings.TrimSuffix(line, "\n")); width > 2 && n > width {
				t.Errorf("width %d: a line of %d: %q", width, n, line)
			}
		}
		if strings.Contains(plain, "\x1b") {
			t.Errorf("width %d: %q", width, plain)
		}
	}
}

// Nothing that a table has is out of sight: what is cut is long, and the rest stands on a second line.
func TestEveryColumnIsShown(t *testing.T) {
	for _, test := range []struct {
		header string
		row    string // of cells, with | between
		want   []string
	}{
		{
			"NAME TYPE BITS FINGERPRINT ADDED USED FROM EXPIRES APP",
			"laptop|ssh-ed25519|256|SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDJE3B9f2KvbW1ZfCQ|2026-01-02 03:04:05|2026-02-03 04:05:06|192.0.2.1|2027-01-01 00:00:00|my-app",
			[]string{
				"laptop  ssh-ed25519  256   SHA256:uNiVztksCsDhcc0u9e8BgrJX…  2026-01-02 03:04:05",
				"    2026-02-03 04:05:06  192.0.2.1  2027-01-01 00:00:00  my-app",
			},
		},
		{
			"DOMAIN CANONICAL ADDED CERTIFICATE EXPIRES ISSUER PROBLEM",
			"shop.example.org|yes|2026-01-02 03:04:05|acme|2027-01-01 00:00:00|CN=R11,O=Let's Encrypt,C=US|the authority has refused shop.example.org: its address is another server's",
			[]string{
				"shop.example.org  yes        2026-01-02 03:04:05  acme",
				"    2027-01-01 00:00:00  CN=R11,O=Let's Encrypt,C=US  the authority has refused",
				"                                                      shop.example.org: its",
				"                                                      address is another",
				"                                                      server's",
			},
		},
		{
			"SETTING VALUE",
			"domains|one.example.org two.example.org three.example.org four.example.org five.example.org",
			[]string{"domains  one.example.org two.example.org three.example.org four.example.org", "         five.example.org"},
		},
	} {
		rows := [][]string{strings.Split(test.row, "|")}
		got := strings.Split(strings.TrimSuffix(tableOf(t, 80, test.header, rows), "\n"), "\n")
		if diff := cmp.Diff(test.want, got[len(got)-len(test.want):]); diff != "" {
			t.Errorf("%s: %s", test.header, diff)
		}
	}
}

// A character takes two columns in East Asia, and a mark over another takes none.
func TestColumnsAreNotCharacters(t *testing.T) {
	for text, want := range map[string]int{"web": 3, "über": 4, "u\u0308ber": 4, "日本": 4, "😀": 2, "ﾊﾝ": 2, "…": 1, "\ufffd": 1} {
		if got := columns(text); got != want {
			t.Errorf("%q takes %d columns, want %d", text, got, want)
		}
	}
	for limit, want := range map[int]string{10: "日本 serve", 8: "日本 se…", 4: "日…", 1: "…"} {
		if got := cut("日本 serve", limit); got != want {
			t.Errorf("cut to %d: %q, want %q", limit, got, want)
		}
	}
	want := "NAME    COMMAND\n日本-1  serve\nweb-1   serve\n"
	if got := tableOf(t, 0, "NAME COMMAND", [][]string{{"日本-1", "serve"}, {"web-1", "serve"}}); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func tableOf(t *testing.T, width int, header string, rows [][]string) string {
	t.Helper()
	var out strings.Builder
	c := &Call{Stdout: &out, Width: width}
	if err := printList(c, rows, header, func(row []string) []string { return append([]string{}, row...) }); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
