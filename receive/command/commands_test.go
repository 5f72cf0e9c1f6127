package command

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"boathook/receive/apps"

	"github.com/google/go-cmp/cmp"
)

const (
	notYours = "there is no such app, or it is not yours"
	noUsers  = "only an administrator manages users"
)

// Every command: what it does, to whom it is denied, and how it may not be written. The lines of one command run one after
// another in one world.
var attempts = map[string][]attempt{
	"deployment-follow": {
		{lily, "deployment-follow my-app", "", 0, "following my-app\n", ""},
		{bob, "deployment-follow my-app", "", 1, "", notYours},
		{alice, "deployment-follow my-app 7", "", 2, "", "one argument too many"},
		{alice, "deployment-follow", "", 2, "", "which app?"},
	},
	"deployment-cancel": {
		{alice, "deployment-cancel my-app", "", 0, "deployment 7 of my-app is aborted\n", ""},
		{alice, "deployment-cancel my-app 7", "", 0, "deployment 7 of my-app is aborted\n", ""},
		{alice, "deployment-cancel my-app 8", "", 1, "", "deployment 8 of my-app is not under way"},
		{alice, "deployment-cancel my-app x", "", 2, "", "is not the number of a deployment"},
		{lily, "deployment-cancel my-app", "", 1, "", "you may not do this"},
		{bob, "deployment-cancel my-app", "", 1, "", notYours},
		{alice, "timeline my-app", "", 0, "deployment-cancel 7", ""},
	},
	"deployment-delete-cache": {
		{alice, "deployment-delete-cache my-app", "", 0, "", ""},
		{lily, "deployment-delete-cache my-app", "", 1, "", "you may not do this"},
		{bob, "deployment-delete-cache my-app", "", 1, "", notYours},
		{alice, "deployment-delete-cache", "", 2, "", "which app?"},
	},
	"router-logs": {
		{alice, "router-logs my-app", "", 0, "disabled\n", ""},
		{alice, "router-logs my-app --enable", "", 0, "", ""},
		{lily, "router-logs my-app", "", 0, "enabled\n", ""},
		{lily, "router-logs my-app --disable", "", 1, "", "you may not do this"},
		{alice, "router-logs --disable my-app", "", 0, "", ""},
		{alice, "router-logs my-app", "", 0, "disabled\n", ""},
		{alice, "router-logs my-app --enable --disable", "", 2, "", "either --enable or --disable"},
		{bob, "router-logs my-app", "", 1, "", notYours},
	},
	"create": {
		{alice, "create next-app", "", 0, "next-app is created for alice: 'git remote add scalingo ssh://git@example.com:2222/next-app.git'", ""},
		{operator, "create --owner bob bobs-app", "", 0, "bobs-app is created for bob", ""},
		{bob, "create my-app", "", 1, "", "the name my-app is taken"},
		{bob, "create other-app --owner alice", "", 1, "", noUsers},
		{bob, "create x", "", 1, "", "cannot name an app"},
		{bob, "create", "", 2, "", "which app?\nusage: create APP [--owner USER]\n"},
		{bob, "create a-name b-name", "", 2, "", `"b-name" is one argument too many`},
		{bob, "create a-name --json", "", 2, "", "not defined: -json"},
	},
	"apps": {
		{alice, "apps", "", 0, "my-app   running  alice  1     2", ""},
		{bob, "apps", "", 0, "APP  STATUS  OWNER  LIVE  CREATED\n", ""},
		{bob, "apps --json", "", 0, "[]\n", ""},
		{lily, "apps --json", "", 0, `[{"name":"my-app","status":"running","owner":"alice","live":1,`, ""},
		{alice, "apps my-app", "", 2, "", "one argument too many"},
	},
	"destroy": {
		{bob, "destroy my-app --force", "", 1, "", notYours},
		{lily, "destroy my-app", "my-app\n", 1, "", "you may not do this with my-app: ask its owner alice\n"},
		{alice, "destroy my-app", "my-ap\n", 1, "", "Type my-app to destroy it with everything it has: my-app was not destroyed"},
		{alice, "destroy my-app", "", 1, "", "was not destroyed"},
		{alice, "destroy my-app", "my-app\n", 0, "", "Type my-app"},
		{alice, "destroy --force new-app", "", 0, "", ""},
		{alice, "destroy", "", 2, "", "which app?"},
	},
	"keys": {
		{alice, "keys", "", 0, "NAME  TYPE  FINGERPRINT  ADDED  USED\n", ""},
		{alice, "keys --json", "", 0, "[]\n", ""},
		{bob, "keys --user alice", "", 1, "", noUsers},
		{operator, "keys --user nobody", "", 1, "", `there is no user "nobody"`},
		{alice, "keys alice", "", 2, "", "one argument too many"},
	},
	"keys-add": {
		{alice, "keys-add laptop", numberedKey(1), 0, "laptop SHA256:", ""},
		{operator, "keys-add ci --user alice", numberedKey(2), 0, "is added for alice", ""},
		{alice, "keys", "", 0, "laptop  ssh-ed25519  SHA256:", ""},
		{alice, "keys --json", "", 0, `"name":"laptop","type":"ssh-ed25519","fingerprint":"SHA256:`, ""},
		{bob, "keys-add laptop", numberedKey(1), 1, "", "this key is another user's"},
		{bob, "keys-add laptop --user alice", numberedKey(3), 1, "", noUsers},
		{bob, "keys-add laptop", "PuTTY-User-Key-File-3: ssh-ed25519\r\n", 1, "", "puttygen KEY.ppk -O public-openssh -o KEY.pub"},
		{bob, "keys-add laptop", strings.Repeat("x", maxKey+1), 1, "", "standard input is too long: at most 16384 bytes"},
		{bob, "keys-add laptop", "", 1, "", "not one OpenSSH public key"},
		{bob, "keys-add", numberedKey(4), 2, "", "an argument is missing"},
	},
	"keys-remove": {
		{alice, "keys-add laptop", numberedKey(1), 0, "laptop", ""},
		{bob, "keys-remove laptop", "", 1, "", `there is no key "laptop": 'keys' lists them`},
		{bob, "keys-remove laptop --user alice", "", 1, "", noUsers},
		{alice, "keys-remove laptop", "", 0, "", ""},
		{alice, "keys-remove", "", 2, "", "an argument is missing"},
	},
	"users": {
		{operator, "users", "", 0, "alice  false  2", ""},
		{operator, "users --json", "", 0, `[{"name":"alice","admin":false,`, ""},
		{alice, "users", "", 1, "", noUsers},
		{operator, "users all", "", 2, "", "one argument too many"},
	},
	"users-add": {
		{operator, "users-add carol --admin", "", 0, "", ""},
		{operator, "users", "", 0, "carol  true", ""},
		{operator, "users-add carol", "", 1, "", "there is a user carol already"},
		{alice, "users-add dave", "", 1, "", noUsers},
		{operator, "users-add", "", 2, "", "an argument is missing"},
	},
	"users-remove": {
		{alice, "users-remove bob", "", 1, "", noUsers},
		{operator, "users-remove alice", "", 1, "", "alice owns my-app: destroy that app first"},
		{operator, "users-remove bob", "", 0, "", ""},
		{operator, "users-remove bob", "", 1, "", `there is no user "bob"`},
		{operator, "users-remove", "", 2, "", "an argument is missing"},
	},
	"env": {
		{alice, "env my-app", "", 0, "GREETING=hello you\nTOKEN=secret\n", ""},
		{alice, "env -a my-app", "", 0, "GREETING", ""},
		{alice, "env --app my-app --json", "", 0, `{"GREETING":"hello you","TOKEN":"secret"}` + "\n", ""},
		{alice, "env new-app --json", "", 0, "{}\n", ""},
		{lily, "env my-app", "", 1, "", "you may not do this with my-app"},
		{bob, "env my-app", "", 1, "", notYours},
		{alice, "env", "", 2, "", "which app?"},
	},
	"env-get": {
		{alice, "env-get my-app GREETING", "", 0, "hello you\n", ""},
		{alice, "env-get my-app NOPE", "", 1, "", `"NOPE" is not set: 'env my-app' lists the variables`},
		{lily, "env-get my-app TOKEN", "", 1, "", "you may not do this"},
		{alice, "env-get my-app", "", 2, "", "an argument is missing"},
	},
	"env-set": {
		{alice, "env-set my-app A=1 'B=x=y z' C=", "", 0, "", ""},
		{alice, "env my-app", "", 0, "A=1\nB=x=y z\nC=\n", ""},
		{bob, "env-set my-app A=1", "", 1, "", notYours},
		{lily, "env-set my-app A=1", "", 1, "", "you may not do this"},
		{alice, "env-set my-app _A=1", "", 1, "", "cannot name a variable"},
		{alice, "env-set my-app A", "", 2, "", `"A" is not NAME=VALUE`},
		{alice, "env-set my-app A=1 A=2", "", 2, "", `"A" is given twice`},
		{alice, "env-set my-app A=- B=-", "x", 2, "", "not both A and B"},
		{alice, "env-set my-app", "", 2, "", "an argument is missing"},
	},
	"env-unset": {
		{alice, "env-unset my-app NOPE", "", 1, "", "NOPE is not set"},
		{lily, "env-unset my-app TOKEN", "", 1, "", "you may not do this"},
		{alice, "env-unset my-app TOKEN GREETING", "", 0, "", ""},
		{alice, "env my-app", "", 0, "", ""},
		{alice, "env-unset my-app", "", 2, "", "an argument is missing"},
	},
	"ps": {
		{alice, "ps my-app", "", 0, "web-1  running  M     2023-11-14 22:13:20  run\ufffd[2J\ufffdx\n", ""},
		{lily, "ps my-app --json", "", 0, `[{"name":"web-1","status":"running","size":"M",`, ""},
		{bob, "ps my-app", "", 1, "", notYours},
		{bob, "ps", "", 2, "", "which app?"},
	},
	"scale": {
		{alice, "scale my-app web:2 worker:+1:l", "", 0, "TYPE    AMOUNT  SIZE\nweb     2       M\nworker  1       L\n", ""},
		{alice, "scale my-app web:-1 --json", "", 0, `[{"type":"web","amount":1,"size":"M"},{"type":"worker","amount":1,"size":"L"}]`, ""},
		{lily, "scale my-app web:2", "", 1, "", "you may not do this"},
		{bob, "scale my-app web:2", "", 1, "", notYours},
		{alice, "scale my-app clock:1", "", 1, "", `there is no process type "clock": the app has web, worker`},
		{alice, "scale my-app web:many", "", 2, "", `"many" is not a number of containers`},
		{alice, "scale my-app web", "", 2, "", `"web" is not TYPE:N or TYPE:N:SIZE`},
		{alice, "scale my-app :1", "", 2, "", "is not TYPE:N"},
		{alice, "scale my-app web:1:", "", 2, "", "is not TYPE:N"},
		{alice, "scale my-app web:1:M:x", "", 2, "", "is not TYPE:N"},
		{alice, "scale my-app", "", 2, "", "an argument is missing"},
	},
	"restart": {
		{alice, "restart my-app", "", 0, "my-app is restarted\n", ""},
		{lily, "restart my-app web", "", 0, "my-app is restarted\n", ""},
		{alice, "restart my-app clock", "", 1, "", `there is no process type "clock": the app has web`},
		{bob, "restart my-app", "", 1, "", notYours},
		{alice, "restart", "", 2, "", "which app?"},
	},
	"redeploy": {
		{alice, "redeploy my-app", "", 0, "1 by alice, hook left out false\n", ""},
		{operator, "redeploy my-app 1 --no-hook", "", 0, "1 by operator, hook left out true\n", ""},
		{alice, "redeploy my-app 7", "", 1, "", "my-app has no successful deployment 7"},
		{alice, "redeploy new-app", "", 1, "", "new-app has no release yet"},
		{lily, "redeploy my-app", "", 1, "", "you may not do this"},
		{bob, "redeploy my-app", "", 1, "", notYours},
		{alice, "redeploy my-app one", "", 2, "", `"one" is not the number of a deployment`},
	},
	"rollback": {
		{alice, "rollback my-app 1", "", 0, "1 by alice, hook left out false\n", ""},
		{alice, "rollback my-app", "", 1, "", "my-app has no earlier release"},
		{lily, "rollback my-app", "", 1, "", "you may not do this"},
		{bob, "rollback my-app", "", 1, "", notYours},
	},
	"deployments": {
		{alice, "deployments my-app", "", 0, "1   success  c0ffee00  alice   2", ""},
		{lily, "deployments my-app --json", "", 0, `[{"id":1,"status":"success","ref":"refs/heads/master","commit":"c0ffee00c0ffee00","pusher":"alice","image":"img:1",`, ""},
		{alice, "deployments new-app --json", "", 0, "[]\n", ""},
		{bob, "deployments my-app", "", 1, "", notYours},
		{alice, "deployments my-app -n -1", "", 2, "", "invalid value"},
	},
	"deployment": {
		{alice, "deployment my-app", "", 0, "\nbuild  1.5s\n", ""},
		{alice, "deployment my-app 1", "", 0, "\nstarting ", ""},
		{lily, "deployment my-app --json", "", 0, `"phases":{"build":1.5}`, ""},
		{alice, "deployment new-app", "", 1, "", "new-app has no deployment yet"},
		{alice, "deployment my-app 7", "", 1, "", "my-app has no deployment 7"},
		{bob, "deployment my-app", "", 1, "", notYours},
	},
	"deployment-logs": {
		{lily, "deployment-logs my-app", "", 0, "-----> built\n", ""},
		{alice, "deployment-logs my-app 1", "", 0, "-----> built\n", ""},
		{alice, "deployment-logs my-app 7", "", 1, "", "my-app has no deployment 7"},
		{alice, "deployment-logs new-app 1", "", 1, "", "new-app has no deployment 1"},
		{bob, "deployment-logs my-app 1", "", 1, "", notYours},
		{alice, "deployment-logs my-app one", "", 2, "", `"one" is not the number of a deployment`},
	},
	"logs": {
		{lily, "logs my-app", "", 0, "[web-1] hello\n", ""},
		{bob, "logs my-app", "", 1, "", notYours},
		{alice, "logs my-app -n few", "", 2, "", "invalid value"},
		{alice, "logs my-app --since 1h", "", 2, "", "not defined: -since"},
	},
	"collaborators": {
		{alice, "collaborators my-app", "", 0, "USER  ROLE\nlily  limited\n", ""},
		{alice, "collaborators my-app --json", "", 0, `[{"user":"lily","role":"limited"}]`, ""},
		{alice, "collaborators new-app --json", "", 0, "[]\n", ""},
		{bob, "collaborators my-app", "", 1, "", notYours},
		{bob, "collaborators", "", 2, "", "which app?"},
	},
	"collaborators-add": {
		{lily, "collaborators-add my-app bob", "", 1, "", "you may not do this"},
		{alice, "collaborators-add my-app bob", "", 0, "", ""},
		{bob, "env my-app", "", 0, "TOKEN=secret", ""},
		{alice, "collaborators-add my-app nobody", "", 1, "", `there is no user "nobody"`},
		{alice, "collaborators-add my-app", "", 2, "", "an argument is missing"},
	},
	"collaborators-remove": {
		{lily, "collaborators-remove my-app lily", "", 1, "", "you may not do this"},
		{alice, "collaborators-remove my-app lily", "", 0, "", ""},
		{lily, "ps my-app", "", 1, "", notYours},
		{alice, "collaborators-remove my-app lily", "", 1, "", "lily is not a collaborator of my-app"},
		{alice, "collaborators-remove my-app", "", 2, "", "an argument is missing"},
	},
	"timeline": {
		{alice, "env-set my-app KEY=s3cret-value", "", 0, "", ""},
		{bob, "env my-app", "", 1, "", notYours},
		{alice, "timeline my-app -n 2", "", 0, "  bob    env          there is no such app, or it is not yours: 'apps' lists those you may use\n", ""},
		{alice, "timeline my-app -n 2", "", 0, "  alice  env-set KEY  ok\n", ""},
		{alice, "timeline my-app --json", "", 0, `"user":"operator","action":"env-set GREETING TOKEN","result":"ok"}`, ""},
		{alice, "timeline new-app --json", "", 0, `"action":"create for alice","result":"ok"}]`, ""},
		{lily, "timeline my-app", "", 1, "", "you may not do this with my-app"},
		{bob, "timeline my-app", "", 1, "", notYours},
		{alice, "timeline", "", 2, "", "which app?"},
		{alice, "timeline my-app -n -1", "", 2, "", "invalid value"},
	},
	"audit": {
		{apps.Caller{User: "bob", Fingerprint: "SHA256:b", Remote: "192.0.2.1:5"}, "env my-app", "", 1, "", notYours},
		{operator, "audit -n 1", "", 0, "  bob   my-app  env     there is no such app, or it is not yours: 'apps' lists those you may use  192.0.2.1:5  SHA256:b\n", ""},
		{operator, "audit -n 1 --json", "", 0, `"user":"bob","app":"my-app","action":"env","result":"there is no such app, or it is not yours: 'apps' lists those you may use","remote":"192.0.2.1:5","key":"SHA256:b"}]`, ""},
		{apps.Caller{User: "adam", Admin: true}, "audit", "", 0, "  operator  -        users-add alice ", ""},
		{alice, "audit", "", 1, "", "only an administrator reads the audit"},
		{operator, "audit my-app", "", 2, "", "one argument too many"},
	},
	"help": {
		{bob, "", "", 0, "create                APP [--owner USER]\n", ""},
		{bob, "help", "", 0, "help                  [COMMAND]\n", ""},
		{bob, "help env-set", "", 0, "one newline at its end is cut off", ""},
		{bob, "help dance", "", 2, "", `there is no command "dance": 'help' lists them`},
		{bob, "dance", "", 2, "", `there is no command "dance": 'help' lists them`},
	},
}

func TestCommands(t *testing.T) {
	for _, cmd := range Commands() {
		t.Run(cmd.Name, func(t *testing.T) {
			if len(attempts[cmd.Name]) == 0 {
				t.Fatal("no test")
			}
			w := newWorld(t)
			for _, a := range attempts[cmd.Name] {
				w.try(a)
			}
		})
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	w := newWorld(t)
	for _, cmd := range Commands() {
		want := cmd.Name + " " + cmd.Usage + "\n  " + cmd.Summary + "\n"
		for _, line := range []string{cmd.Name + " --help", cmd.Name + " -h", "help " + cmd.Name} {
			if got := w.mustRun(bob, line, ""); got != want {
				t.Errorf("%s: %q, want %q", line, got, want)
			}
		}
	}
}

func TestNamesAreUnique(t *testing.T) {
	var names []string
	for _, cmd := range Commands() {
		if slices.Contains(names, cmd.Name) {
			t.Errorf("%s is there twice", cmd.Name)
		}
		names = append(names, cmd.Name)
	}
}

func TestEnvSetFromInput(t *testing.T) {
	w := newWorld(t)
	longest := strings.Repeat("\U0001f600", apps.MaxValue)
	for _, test := range []struct{ name, input, want, refusal string }{
		{"line", "secret\n", "secret", ""},
		{"no newline", "secret", "secret", ""},
		{"two newlines", "secret\n\n", "secret\n", ""},
		{"lines", "-----BEGIN\nEND-----\n", "-----BEGIN\nEND-----", ""},
		{"nothing", "", "", ""},
		{"a hyphen", "-", "-", ""},
		{"longest", longest + "\n", longest, ""},
		{"one byte more", longest + "xy", "", "standard input is too long"},
		{"many characters", strings.Repeat("x", apps.MaxValue+1), "", "at most 32768 are allowed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := *w
			w.t = t
			w.mustRun(alice, "env-set my-app V=before", "")
			if test.refusal != "" {
				w.try(attempt{alice, "env-set my-app V=- OTHER=1", test.input, 1, "", test.refusal})
				w.try(attempt{alice, "env-get my-app V", "", 0, "before\n", ""})
				w.try(attempt{alice, "env-get my-app OTHER", "", 1, "", "is not set"})
				return
			}
			w.mustRun(alice, "env-set my-app V=-", test.input)
			if got := w.mustRun(alice, "env-get my-app V", ""); got != test.want+"\n" {
				t.Errorf("got %d bytes, want %d", len(got), len(test.want)+1)
			}
		})
	}
}

// A mistyped assignment may be a secret that the shell cut in two.
func TestMistakesDoNotRepeatValues(t *testing.T) {
	w := newWorld(t)
	_, _, stderr := w.run(alice, "env-set my-app TOKEN=s3cret TOKEN=s3cret", "")
	if strings.Contains(stderr, "s3cret") {
		t.Errorf("stderr %q", stderr)
	}
}

func TestLogOptions(t *testing.T) {
	w := newWorld(t)
	for line, want := range map[string]apps.LogOptions{
		"logs my-app":                           {Lines: 100},
		"logs -f my-app":                        {Lines: 100, Follow: true},
		"logs my-app -n 5 --filter web -f":      {Lines: 5, Follow: true, Filter: "web"},
		"logs --filter=worker-1 -a my-app -n 0": {Filter: "worker-1"},
	} {
		w.mustRun(alice, line, "")
		if diff := cmp.Diff(want, w.runtime.asked); diff != "" {
			t.Errorf("%s: %s", line, diff)
		}
	}
}

func TestFlagsEndAtTwoHyphens(t *testing.T) {
	w := newWorld(t)
	w.try(attempt{alice, "keys-remove -- --json", "", 1, "", `there is no key "--json"`})
	w.try(attempt{alice, "env -- my-app --json", "", 2, "", `"--json" is one argument too many`})
}

// What --json prints is one JSON value, with lower-case names.
func TestJSON(t *testing.T) {
	w := newWorld(t)
	w.mustRun(alice, "keys-add laptop", numberedKey(1))
	for _, line := range []string{"apps", "keys --user alice", "users", "ps my-app", "deployments my-app", "collaborators my-app", "scale my-app web:1", "timeline my-app", "audit"} {
		var got []map[string]any
		if err := json.Unmarshal([]byte(w.mustRun(operator, line+" --json", "")), &got); err != nil || len(got) == 0 {
			t.Errorf("%s: %v, %v", line, got, err)
		}
		for _, object := range got {
			for name := range object {
				if name != strings.ToLower(name) {
					t.Errorf("%s: name %q", line, name)
				}
			}
		}
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestLostOutputIsAFailure(t *testing.T) {
	w := newWorld(t)
	for _, line := range []string{"help", "apps", "apps --json", "env my-app", "env-get my-app TOKEN", "deployment-logs my-app"} {
		args, err := Split(line)
		if err != nil {
			t.Fatal(err)
		}
		var stderr strings.Builder
		status := Commands().Run(t.Context(), &Call{Args: args, Caller: alice, Service: w.service, Stdin: strings.NewReader(""), Stdout: brokenPipe{}, Stderr: &stderr})
		if status != 1 || !strings.Contains(stderr.String(), "broken pipe") {
			t.Errorf("%s: status %d, %q", line, status, stderr.String())
		}
	}
}
