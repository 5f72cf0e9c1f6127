package command

import (
	"strings"
	"testing"

	"boathook/receive/apps"
)

// answer is what a caller gets.
type answer string

const (
	yes    answer = "yes"
	denied answer = "denied"      // may not do this, and is told so
	noApp  answer = "no such app" // may not even know of the app
)

// permissions has a row for every command: words with which it succeeds for who may, and what everybody gets. Administrators and the
// operator get yes. The app is always my-app: somebody else's, for the stranger.
var permissions = map[string]struct {
	line, stdin                                        string
	stranger, limited, collaborator, deployOnly, owner answer
}{
	"create":                  {"create next-app", "", yes, yes, yes, denied, yes},
	"apps":                    {"apps", "", yes, yes, yes, denied, yes},
	"apps-info":               {"apps-info my-app", "", noApp, yes, yes, denied, yes},
	"domains":                 {"domains my-app", "", noApp, yes, yes, denied, yes},
	"domains-add":             {"domains-add my-app www.example.com", "", noApp, denied, yes, denied, yes},
	"domains-remove":          {"domains-remove my-app shop.example.org", "", noApp, denied, yes, denied, yes},
	"domains-ssl":             {"domains-ssl my-app shop.example.org", shopCertificate, noApp, denied, yes, denied, yes},
	"set-canonical-domain":    {"set-canonical-domain my-app shop.example.org", "", noApp, denied, yes, denied, yes},
	"unset-canonical-domain":  {"unset-canonical-domain my-app", "", noApp, denied, yes, denied, yes},
	"force-https":             {"force-https my-app --enable", "", noApp, denied, yes, denied, yes},
	"sticky-session":          {"sticky-session my-app --enable", "", noApp, denied, yes, denied, yes},
	"maintenance":             {"maintenance my-app --enable", "", noApp, denied, yes, denied, yes},
	"maintenance-page":        {"maintenance-page my-app", "<p>back soon", noApp, denied, yes, denied, yes},
	"error-page":              {"error-page my-app", "<p>sorry", noApp, denied, yes, denied, yes},
	"rename":                  {"rename my-app next-app", "", noApp, denied, denied, denied, yes},
	"destroy":                 {"destroy my-app", "my-app\n", noApp, denied, denied, denied, yes},
	"keys":                    {"keys", "", yes, yes, yes, denied, yes},
	"keys-add":                {"keys-add desk", numberedKey(9), yes, yes, yes, denied, yes},
	"keys-remove":             {"keys-remove laptop", "", yes, yes, yes, denied, yes},
	"tokens":                  {"tokens", "", yes, yes, yes, denied, yes},
	"tokens-add":              {"tokens-add next", "", yes, yes, yes, denied, yes},
	"tokens-remove":           {"tokens-remove ci", "", yes, yes, yes, denied, yes},
	"users":                   {"users", "", denied, denied, denied, denied, denied},
	"users-add":               {"users-add eve", "", denied, denied, denied, denied, denied},
	"users-remove":            {"users-remove idle", "", denied, denied, denied, denied, denied},
	"env":                     {"env my-app", "", noApp, denied, yes, denied, yes},
	"env-get":                 {"env-get my-app TOKEN", "", noApp, denied, yes, denied, yes},
	"env-set":                 {"env-set my-app A=1", "", noApp, denied, yes, denied, yes},
	"env-unset":               {"env-unset my-app TOKEN", "", noApp, denied, yes, denied, yes},
	"ps":                      {"ps my-app", "", noApp, yes, yes, denied, yes},
	"stats":                   {"stats my-app", "", noApp, yes, yes, denied, yes},
	"send-signal":             {"send-signal my-app --signal USR1 web", "", noApp, denied, yes, denied, yes},
	"scale":                   {"scale my-app web:2", "", noApp, denied, yes, denied, yes},
	"restart":                 {"restart my-app", "", noApp, yes, yes, denied, yes},
	"deployments":             {"deployments my-app", "", noApp, yes, yes, denied, yes},
	"deployment":              {"deployment my-app", "", noApp, yes, yes, denied, yes},
	"deployment-logs":         {"deployment-logs my-app", "", noApp, yes, yes, yes, yes},
	"deployment-follow":       {"deployment-follow my-app 1", "", noApp, yes, yes, yes, yes},
	"deployment-cancel":       {"deployment-cancel my-app", "", noApp, denied, yes, denied, yes},
	"deployment-delete-cache": {"deployment-delete-cache my-app", "", noApp, denied, yes, denied, yes},
	"run":                     {"run my-app uptime", "", noApp, denied, yes, denied, yes},
	"one-off-stop":            {"one-off-stop my-app one-off-1234", "", noApp, denied, yes, denied, yes},
	"redeploy":                {"redeploy my-app", "", noApp, denied, yes, denied, yes},
	"rollback":                {"rollback my-app 1", "", noApp, denied, yes, denied, yes},
	"logs":                    {"logs my-app", "", noApp, yes, yes, denied, yes},
	"router-logs":             {"router-logs my-app --enable", "", noApp, denied, yes, denied, yes},
	"collaborators":           {"collaborators my-app", "", noApp, yes, yes, denied, yes},
	"collaborators-add":       {"collaborators-add my-app idle", "", noApp, denied, denied, denied, yes},
	"collaborators-remove":    {"collaborators-remove my-app lily", "", noApp, denied, denied, denied, yes},
	"timeline":                {"timeline my-app", "", noApp, denied, denied, denied, yes},
	"audit":                   {"audit", "", denied, denied, denied, denied, denied},
	"help":                    {"help", "", yes, yes, yes, yes, yes},
}

var (
	carl  = apps.Caller{User: "carl"} // collaborates
	adam  = apps.Caller{User: "adam", Admin: true}
	ci    = apps.Caller{User: "alice", App: "my-app"}
	other = apps.Caller{User: "alice", App: "new-app"}
)

// populated is a world in which everybody has what the lines above need.
func populated(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	for _, line := range []string{"users-add carl", "users-add adam --admin", "users-add idle", "collaborators-add my-app carl", "domains-add my-app shop.example.org"} {
		w.mustRun(operator, line, "")
	}
	for i, c := range []apps.Caller{alice, bob, carl, lily, adam} {
		w.mustRun(c, "keys-add laptop", numberedKey(byte(i+1)))
		if status, _, stderr := w.run(c, "tokens-add ci", ""); status != 0 {
			t.Fatal(stderr)
		}
	}
	return w
}

// told is what a caller was answered; anything but the three answers is a mistake.
func (w *world) told(c apps.Caller, line, stdin string) (answer, string) {
	w.t.Helper()
	status, stdout, stderr := w.run(c, line, stdin)
	switch {
	case status == 0:
		return yes, stderr
	case stdout != "" || status != 1:
	case strings.HasPrefix(stderr, notYours):
		return noApp, stderr
	case strings.HasPrefix(stderr, "you may not do this"):
		return denied, stderr
	}
	w.t.Errorf("%s, asked by %+v: status %d, stdout %q, stderr %q", line, c, status, stdout, stderr)
	return "", stderr
}

// TestPermissions walks the whole table of commands. A command that is added needs a row.
func TestPermissions(t *testing.T) {
	shared := populated(t) // for everybody who is refused: nothing may come of it
	before := shared.everything()
	for _, cmd := range Commands() {
		t.Run(cmd.Name, func(t *testing.T) {
			row, ok := permissions[cmd.Name]
			if !ok {
				t.Fatal("the table of permissions has no row for this command: who may?")
			}
			foreign := row.deployOnly // the key of another app is a stranger's
			if strings.Contains(row.line, "my-app") {
				foreign = noApp
			}
			for _, who := range []struct {
				name   string
				caller apps.Caller
				want   answer
			}{
				{"stranger", bob, row.stranger}, {"limited collaborator", lily, row.limited}, {"collaborator", carl, row.collaborator},
				{"deploy-only key", ci, row.deployOnly}, {"deploy-only key of another app", other, foreign}, {"owner", alice, row.owner}, {"administrator", adam, yes},
			} {
				w := shared
				if who.want == yes {
					w = populated(t)
				}
				if got, stderr := w.told(who.caller, row.line, row.stdin); got != who.want {
					t.Errorf("%s gets %q, want %q: %s", who.name, got, who.want, stderr)
				}
			}
			if row.stranger == noApp {
				_, forbidden := shared.told(bob, row.line, row.stdin)
				_, unknown := shared.told(bob, strings.ReplaceAll(row.line, "my-app", "no-such-app"), row.stdin)
				if forbidden != unknown {
					t.Errorf("a stranger learns of the app: %q, and of none: %q", forbidden, unknown)
				}
			}
		})
	}
	if after := shared.everything(); after != before {
		t.Errorf("something came of what was refused:\n%s\nbefore:\n%s", after, before)
	}
	for name := range permissions {
		if _, ok := Commands().find(name); !ok {
			t.Errorf("%s has a row and is no command", name)
		}
	}
}

// everything is what the commands could have changed.
func (w *world) everything() string {
	var text strings.Builder
	for _, line := range []string{
		"apps", "apps-info my-app", "users", "env my-app", "ps my-app", "deployments my-app", "collaborators my-app", "timeline new-app",
		"keys --user alice", "keys --user bob", "keys --user lily", "keys --user carl", "tokens --user alice", "tokens --user bob", "tokens --user lily",
	} {
		text.WriteString(w.mustRun(operator, line+" --json", ""))
	}
	return text.String()
}
