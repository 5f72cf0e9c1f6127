package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"boathook/receive/apps"
	"boathook/receive/state"
)

// TestEveryCommandSpeaksJSON walks the table with the lines of the permissions' table, with which every command succeeds: each prints one
// JSON document and nothing else, logs one a line, with names of lower case, and no colours on a terminal.
func TestEveryCommandSpeaksJSON(t *testing.T) {
	for _, cmd := range Commands() {
		t.Run(cmd.Name, func(t *testing.T) {
			row := permissions[cmd.Name]
			w := populated(t)
			status, stdout, stderr := w.runOn(80, adam, asJSON(cmd), row.stdin)
			if status != 0 || !strings.Contains(cmd.Usage, "--json") {
				t.Fatalf("status %d, stderr %q, usage %q", status, stderr, cmd.Usage)
			}
			documents := json.NewDecoder(strings.NewReader(stdout))
			var document any
			if err := documents.Decode(&document); err != nil || !strings.HasSuffix(stdout, "\n") || strings.Contains(stdout, "\x1b") {
				t.Fatalf("%q: %v", stdout, err)
			}
			if cmd.Name != "env" { // whose names are the app's
				lower(t, document)
			}
			if err := documents.Decode(&document); !errors.Is(err, io.EOF) {
				t.Errorf("more than one document: %q", stdout)
			}
		})
	}
}

// asJSON is the line of the permissions' table for programs.
func asJSON(cmd Command) string {
	line := permissions[cmd.Name].line
	if cmd.Terminal { // behind the app every word is the caller's
		return strings.Replace(line, "my-app", "--json my-app", 1)
	}
	return line + " --json"
}

// lower looks for names with capitals.
func lower(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			lower(t, element)
		}
	case map[string]any:
		for name, value := range v {
			if name != strings.ToLower(name) {
				t.Errorf("name %q", name)
			}
			lower(t, value)
		}
	}
}

// TestTranscriptsBesideJSON: what a person watches of a deployment or a one-off goes to standard error, and how it ended is the document, also
// when that is a failure.
func TestTranscriptsBesideJSON(t *testing.T) {
	w := newWorld(t)
	failed, err := w.store.CreateDeployment(t.Context(), state.Deployment{App: "my-app", Pusher: "alice"})
	w.must(err)
	w.must(w.store.SetStatus(t.Context(), failed.ID, state.HookError, "Postdeploy hook failed"))
	w.must(w.store.AppendLog(t.Context(), failed.ID, []byte("failed\n")))
	for _, test := range []struct {
		line   string
		status int
		stdout string // the beginning of the document
		stderr string
	}{
		{"redeploy my-app --no-hook --json", 0, `{"id":1,"status":"success",`, "1 by alice, hook left out true, alone false\n"},
		{"redeploy my-app --hook-only --json", 0, `{"app":"my-app","hook":"postdeploy","status":"success"}`, "1 by alice, hook left out false, alone true\n"},
		{"rollback my-app 1 --json", 0, `{"id":1,"status":"success",`, "1 by alice, hook left out false, alone false\n"},
		{"deployment-follow my-app 1 --json", 0, `{"id":1,"status":"success",`, "-----> built\n"},
		{"deployment-follow my-app 2 --json", 1, `{"id":2,"status":"hook-error","reason":"Postdeploy hook failed",`,
			"failed\ndeployment 2 of my-app has ended as hook-error\n"},
		{"deployment-logs my-app 1 --json", 0, `{"id":1,"status":"success","log":"-----> built\n"}`, ""},
		{"run --json my-app exit 7", 7, `{"container":"one-off-1234","exit_status":7}`, ""},
		{"run --json my-app uptime", 0, `{"container":"one-off-1234","exit_status":0}`, "my-app  map[]: uptime \n"},
		{"run --json --detached my-app uptime", 0, `{"container":"one-off-1234"}`, ""},
	} {
		status, stdout, stderr := w.run(alice, test.line, "")
		if status != test.status || !strings.HasPrefix(stdout, test.stdout) || !json.Valid([]byte(stdout)) || stderr != test.stderr {
			t.Errorf("%s: status %d, stdout %q, stderr %q", test.line, status, stdout, stderr)
		}
	}
}

// TestHookAloneFails prints a document for a hook that ran, and none for one that was refused.
func TestHookAloneFails(t *testing.T) {
	for _, test := range []struct {
		fails          error
		stdout, stderr string
	}{
		{fmt.Errorf("deploy: %w", hookError{}), `{"app":"my-app","hook":"postdeploy","status":"hook-error"}` + "\n", "Postdeploy hook failed"},
		{errors.New("my-app has no postdeploy hook to run"), "", "my-app has no postdeploy hook to run"},
	} {
		w := populated(t)
		w.runtime.hookFails = test.fails
		status, stdout, stderr := w.run(alice, "redeploy my-app --hook-only --json", "")
		if status != 1 || stdout != test.stdout || !strings.Contains(stderr, test.stderr) {
			t.Errorf("%v: status %d, stdout %q, stderr %q", test.fails, status, stdout, stderr)
		}
	}
}

// hookError is the failure of a hook as deploy has it.
type hookError struct{}

func (hookError) Error() string  { return "Postdeploy hook failed" }
func (hookError) Reason() string { return string(state.HookError) }

// TestEveryCommandFailsPlainly walks the table: a failure is 1, a mistake in the line 2, both in plain words on standard error and with nothing
// on standard output, also where JSON was asked for.
func TestEveryCommandFailsPlainly(t *testing.T) {
	w := populated(t)
	for _, cmd := range Commands() {
		t.Run(cmd.Name, func(t *testing.T) {
			w := *w
			w.t = t
			line := asJSON(cmd)
			if cmd.Name != "help" { // which everybody may ask
				w.fails(1, other, line)
			}
			if cmd.Terminal {
				line = cmd.Name
			}
			w.fails(2, adam, line+" --no-such-flag")
		})
	}
}

func (w *world) fails(want int, c apps.Caller, line string) {
	w.t.Helper()
	status, stdout, stderr := w.runOn(80, c, line, "")
	if status != want || stdout != "" || stderr == "" || json.Valid([]byte(stderr)) || strings.Contains(stderr, "\x1b") {
		w.t.Errorf("%s: status %d, stdout %q, stderr %q; want status %d", line, status, stdout, stderr, want)
	}
}

// TestColoursAreForTerminals walks the table: without a terminal nothing is coloured.
func TestColoursAreForTerminals(t *testing.T) {
	coloured := []string{}
	for _, cmd := range Commands() {
		row := permissions[cmd.Name]
		for width, where := range map[int]string{0: "a pipe", 80: "a terminal"} {
			w := populated(t)
			_, stdout, _ := w.runOn(width, adam, row.line, row.stdin)
			if !strings.Contains(stdout, "\x1b") {
				continue
			}
			if where == "a pipe" {
				t.Errorf("%s colours %s: %q", cmd.Name, where, stdout)
			}
			coloured = append(coloured, cmd.Name)
		}
	}
	if want := []string{"apps", "deployment", "deployments", "ps"}; !slices.Equal(sorted(coloured), want) {
		t.Errorf("coloured on a terminal: %v, want %v", coloured, want)
	}
}

func sorted(words []string) []string {
	slices.Sort(words)
	return words
}

// A restart that fails leaves the variables set, which is said, with what to type next.
func TestRestartAfterAChangeFails(t *testing.T) {
	w := newWorld(t)
	w.runtime.restartFails = errors.New("web is not restarted. Timeout: my-app took more than 60 seconds to boot")
	w.try(attempt{alice, "env-set my-app A=1 --restart", "", 1, "",
		"A is set for my-app, but not for all containers: web is not restarted. Timeout: my-app took more than 60 seconds to boot\nwhen that is mended: ssh -p 2222 git@example.com restart my-app\n"})
	w.try(attempt{alice, "env-get my-app A", "", 0, "1\n", ""})
}
