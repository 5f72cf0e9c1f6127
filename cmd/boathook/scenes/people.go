package scenes

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdPeople gives the scene, which has alice, the owner of my-app, and mallory, a stranger to it, the rest of the people: carl, a
// collaborator; lily, a limited one; adam, an administrator; ci, a deploy-only key of alice's for my-app; old, a key of alice's that has
// expired.
func cmdPeople(ts *testscript.TestScript, neg bool, args []string) {
	public := map[string]string{}
	for _, name := range []string{"carl", "lily", "adam", "ci", "old"} {
		ts.Check(newKey(filepath.Join(ts.Getenv("HOME"), ".ssh", name)))
		public[name] = publicKey(ts, name)
	}
	manageOK(ts, public["adam"], "users-add", "adam", "--admin", "--key", "-")
	for _, name := range []string{"carl", "lily"} {
		manageOK(ts, public[name], "users-add", name, "--key", "-")
	}
	manageOK(ts, "", "collaborators-add", "my-app", "carl")
	manageOK(ts, "", "collaborators-add", "my-app", "lily", "--limited")
	manageOK(ts, public["ci"], "keys-add", "ci", "--user", "alice", "--app", "my-app")
	old := filepath.Join(ts.Getenv("WORK"), "old.pub")
	ts.Check(os.WriteFile(old, []byte(public["old"]), 0o644))
	cmdOldKey(ts, false, []string{"alice", "old", old})
}

// cmdAs has somebody type a command, and compares its exit status: as STATUS WHO COMMAND. stdin gives it input; stdout and stderr look at
// what it said.
func cmdAs(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := asked(ts, args[1], args[2:]); got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
	if said := ts.ReadFile("stderr"); want == 2 && !strings.Contains(said, "\nusage: "+args[2]) && args[2] != "help" {
		ts.Fatalf("a mistake, and the usage of %s is not told: %q", args[2], said)
	}
}

// cmdJSON has somebody type a command with --json, which must print one JSON document and nothing else: json WHO COMMAND.
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if status := asked(ts, args[0], slices.Insert(args[1:], 1, "--json")); status != 0 { // not last: behind the app every word of run is the command's
		ts.Fatalf("exit status %d", status)
	}
	if out := ts.ReadFile("stdout"); !json.Valid([]byte(out)) || !strings.HasSuffix(out, "\n") {
		ts.Fatalf("not one JSON document, with an end of its line: %q", out)
	}
}

// cmdName sets a variable to what a file holds, without the end of its line: name VARIABLE FILE.
func cmdName(ts *testscript.TestScript, neg bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}

// refusals are what those are told who may not do something with my-app.
var refusals = map[string]string{
	"mallory": "there is no such app, or it is not yours",
	"lily":    "you may not do this with my-app",
	"carl":    "you may not do this with my-app",
	"ci":      "you may not do this with this key",
	"old":     "Permission denied", // why, the banner says, which this ssh is too quiet to show: see the scene key-expiry
}

// refusal is what somebody is told who may not type a line. A line with no app in it is an administrator's.
func refusal(who string, line []string) string {
	if who != "ci" && who != "old" && !slices.Contains(line, "my-app") {
		return "only an administrator "
	}
	return refusals[who]
}

// cmdDenied has each of some people type a command, which tells each in his own words that he may not, and prints nothing: denied
// WHO[,WHO...] COMMAND.
func cmdDenied(ts *testscript.TestScript, neg bool, args []string) {
	for who := range strings.SplitSeq(args[0], ",") {
		status := asked(ts, who, args[1:])
		want := refusal(who, args[1:])
		if said := ts.ReadFile("stderr"); status == 0 || status == 2 || ts.ReadFile("stdout") != "" || want == "" || !strings.Contains(said, want) {
			ts.Fatalf("%s: exit status %d, stdout %q, stderr %q, want the refusal %q", who, status, ts.ReadFile("stdout"), said, want)
		}
	}
}

// asked runs the real ssh client and returns its exit status.
func asked(ts *testscript.TestScript, who string, line []string) int {
	err := ts.Exec("ssh-as", append([]string{who}, line...)...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}
