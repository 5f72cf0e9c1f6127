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
		{alice, "destroy my-app", "my-ap\n", 1, "", "Type my-app to destroy it with everything it has:\nmy-app was not destroyed"},
		{alice, "destroy my-app", "", 1, "", "was not destroyed"},
		{alice, "destroy my-app", "my-app\n", 0, "", "Type my-app"},
		{alice, "destroy --force new-app", "", 0, "", ""},
		{alice, "destroy", "", 2, "", "which app?"},
	},
	"keys": {
		{alice, "keys", "", 0, "NAME  TYPE  BITS  FINGERPRINT  ADDED  USED  FROM  EXPIRES  APP\n", ""},
		{alice, "keys --json", "", 0, "[]\n", ""},
		{bob, "keys --user alice", "", 1, "", noUsers},
		{operator, "keys --user nobody", "", 1, "", `there is no user "nobody"`},
		{alice, "keys alice", "", 2, "", "one argument too many"},
	},
	"keys-add": {
		{alice, "keys-add laptop", numberedKey(1), 0, "laptop SHA256:", ""},
		{operator, "keys-add ci --user alice", numberedKey(2), 0, "is added for alice", ""},
		{alice, "keys", "", 0, "laptop  ssh-ed25519  256   SHA256:", ""},
		{alice, "keys --json", "", 0, `"name":"laptop","type":"ssh-ed25519","bits":256,"fingerprint":"SHA256:`, ""},
		{bob, "keys-add laptop", numberedKey(1), 1, "", "key is already taken: it is another user's"},
		{bob, "keys-add laptop --user alice", numberedKey(3), 1, "", noUsers},
		{bob, "keys-add laptop", "PuTTY-User-Key-File-3: ssh-ed25519\r\n", 1, "", "puttygen KEY.ppk -O public-openssh -o KEY.pub"},
		{bob, "keys-add laptop", strings.Repeat("x", maxKey+1), 1, "", "standard input is too long: at most 16384 bytes"},
		{bob, "keys-add laptop", "", 1, "", "not one OpenSSH public key"},
		{bob, "keys-add", numberedKey(4), 2, "", "an argument is missing"},
		{alice, "keys-add ci-90 --expires 90d --app my-app", numberedKey(5), 0, "ci-90 SHA256:", ""},
		{alice, "keys-add ci-day --expires 2999-12-31 --key -", numberedKey(6), 0, "ci-day SHA256:", ""},
		{alice, "keys --json", "", 0, `"expires":"3000-01-01T00:00:00Z"`, ""},
		{alice, "keys --json", "", 0, `"app":"my-app"`, ""},
		{alice, "keys", "", 0, "3000-01-01 00:00:00  -\n", ""},
		{alice, "keys-add late --expires 2020-12-31", numberedKey(7), 1, "", "2021-01-01 00:00:00 is over already"},
		{alice, "keys-add soon --expires soon", numberedKey(7), 2, "", "give the last day, like 2026-12-31, or a number of days, like 90d"},
		{alice, "keys-add soon --expires 0d", numberedKey(7), 2, "", "a number of days"},
		{alice, "keys-add soon --expires 2026-02-30", numberedKey(7), 2, "", "give the last day"},
		{bob, "keys-add ci --app my-app", numberedKey(7), 1, "", notYours},
		{lily, "keys-add ci --app my-app", numberedKey(7), 1, "", "you may not do this with my-app"},
		{operator, "keys-add ci --app my-app --user bob", numberedKey(7), 1, "", notYours},
		{bob, "keys-add stolen --key /etc/shadow", "", 2, "", "a file can only be named on the host: use '--key - < FILE'"},
	},
	"keys-remove": {
		{alice, "keys-add laptop", numberedKey(1), 0, "laptop", ""},
		{bob, "keys-remove laptop", "", 1, "", `there is no key "laptop": 'keys' lists them`},
		{bob, "keys-remove laptop --user alice", "", 1, "", noUsers},
		{alice, "keys-remove laptop", "", 0, "", ""},
		{alice, "keys-remove", "", 2, "", "an argument is missing"},
	},
	"tokens": {
		{alice, "tokens", "", 0, "NAME  ADDED  USED  EXPIRES\n", ""},
		{alice, "tokens --json", "", 0, "[]\n", ""},
		{bob, "tokens --user alice", "", 1, "", noUsers},
		{alice, "tokens all", "", 2, "", "one argument too many"},
	},
	"tokens-add": {
		{alice, "tokens-add ci --expires 2999-12-31", "", 0, "boathook_1_", "Keep this token: it is not shown again.\n"},
		{alice, "tokens", "", 0, "  -     3000-01-01 00:00:00\n", ""},
		{alice, "tokens --json", "", 0, `[{"name":"ci","added":"`, ""},
		{alice, "tokens-add ci", "", 1, "", "alice has a token named ci already"},
		{alice, "tokens-add late --expires 2020-12-31", "", 1, "", "is over already"},
		{bob, "tokens-add ci --user alice", "", 1, "", noUsers},
		{alice, "tokens-add", "", 2, "", "an argument is missing"},
	},
	"tokens-remove": {
		{alice, "tokens-add ci", "", 0, "boathook_1_", "Keep this token"},
		{bob, "tokens-remove ci", "", 1, "", `there is no token "ci": 'tokens' lists them`},
		{bob, "tokens-remove ci --user alice", "", 1, "", noUsers},
		{operator, "tokens-remove ci --user alice", "", 0, "", ""},
		{alice, "tokens --json", "", 0, "[]\n", ""},
		{alice, "tokens-remove", "", 2, "", "an argument is missing"},
	},
	"users": {
		{operator, "users", "", 0, "alice  false  2", ""},
		{operator, "users --json", "", 0, `[{"name":"alice","admin":false,`, ""},
		{alice, "users", "", 1, "", noUsers},
		{operator, "users all", "", 2, "", "one argument too many"},
	},
	"users-add": {
		{operator, "users-add carol --admin", "", 0, "carol is added as an administrator: 'keys-add --user carol NAME < KEY.pub' next", ""},
		{operator, "users-add dora --key -", numberedKey(1), 0, "dora is added, with the key SHA256:", ""},
		{operator, "keys --user dora", "", 0, "first  ssh-ed25519  256   SHA256:", ""},
		{operator, "users-add emma --key -", numberedKey(2), 0, "'ssh -p 2222 git@example.com create my-app'", ""},
		{operator, "users-add fred --key -", numberedKey(1), 1, "", "key is already taken"},
		{operator, "users-add fred --key -", "nonsense", 1, "", "not one OpenSSH public key"},
		{operator, "users-add fred --key /etc/passwd", "", 2, "", "a file can only be named on the host"},
		{operator, "keys --user fred", "", 1, "", `there is no user "fred"`},
		{alice, "users-add fred --key -", numberedKey(3), 1, "", noUsers},
		{operator, "users", "", 0, "carol  true", ""},
		{operator, "users-add carol", "", 1, "", "there is a user carol already"},
		{alice, "users-add dave", "", 1, "", noUsers},
		{operator, "users-add", "", 2, "", "an argument is missing"},
	},
	"users-remove": {
		{alice, "users-remove bob", "", 1, "", noUsers},
		{operator, "users-remove alice", "", 1, "", "alice owns my-app, new-app: destroy what nobody needs any more ('destroy my-app'), then remove the user"},
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
		{alice, "redeploy my-app", "", 0, "1 by alice, hook left out false, alone false\n", ""},
		{operator, "redeploy my-app 1 --no-hook", "", 0, "1 by operator, hook left out true, alone false\n", ""},
		{alice, "redeploy my-app --hook-only", "", 0, "1 by alice, hook left out false, alone true\n", ""},
		{alice, "redeploy --hook-only my-app 1", "", 0, "1 by alice, hook left out false, alone true\n", ""},
		{alice, "redeploy my-app 7 --hook-only", "", 1, "", "the hook alone is run for the live release only, and 7 is not: leave the ID out"},
		{alice, "redeploy new-app --hook-only", "", 1, "", "new-app has no release yet"},
		{alice, "redeploy my-app --hook-only --no-hook", "", 2, "", "--hook-only and --no-hook together leave nothing to do"},
		{lily, "redeploy my-app --hook-only", "", 1, "", "you may not do this"},
		{bob, "redeploy my-app --hook-only", "", 1, "", notYours},
		{alice, "redeploy my-app 7", "", 1, "", "my-app has no successful deployment 7"},
		{alice, "redeploy new-app", "", 1, "", "new-app has no release yet"},
		{lily, "redeploy my-app", "", 1, "", "you may not do this"},
		{bob, "redeploy my-app", "", 1, "", notYours},
		{alice, "redeploy my-app one", "", 2, "", `"one" is not the number of a deployment`},
	},
	"rollback": {
		{alice, "rollback my-app 1", "", 0, "1 by alice, hook left out false, alone false\n", ""},
		{alice, "rollback my-app 1 --no-hook", "", 0, "1 by alice, hook left out true, alone false\n", ""},
		{alice, "rollback my-app --hook-only", "", 2, "", "flag provided but not defined: -hook-only"},
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
	"domains": {
		{alice, "domains my-app", "", 0, "DOMAIN  CANONICAL  ADDED\n", ""},
		{alice, "domains-add my-app Shop.Example.ORG.", "", 0, "shop.example.org is a domain of my-app: have its DNS record point here\n", ""},
		{alice, "domains-add my-app bücher.example.org", "", 0, "xn--bcher-kva.example.org is a domain of my-app", ""},
		{alice, "set-canonical-domain my-app SHOP.example.org", "", 0, "my-app redirects to SHOP.example.org\n", ""},
		{lily, "domains my-app", "", 0, "shop.example.org           yes        ", ""},
		{lily, "domains my-app --json", "", 0, `[{"host":"shop.example.org","canonical":true,"added":`, ""},
		{bob, "domains my-app", "", 1, "", notYours},
	},
	"domains-add": {
		{alice, "domains-add my-app *.example.org", "", 0, "*.example.org is a domain of my-app", ""},
		{alice, "domains-add my-app *.example.org", "", 1, "", "*.example.org belongs to an app already: remove it there first"},
		{alice, "domains-add new-app shop.example.org", "", 1, "", "shop.example.org belongs to an app already: remove it there first"},
		{alice, "domains-add my-app shop.example.org", "", 0, "shop.example.org is a domain of my-app", ""},
		{alice, "domains-add my-app new-app.apps.example.com", "", 1, "", "new-app.apps.example.com is the platform's own: every app has its name there"},
		{alice, "domains-add my-app *.apps.example.com", "", 1, "", "is the platform's own"},
		{alice, "domains-add my-app apps.example.com", "", 1, "", "is the platform's own"},
		{alice, "domains-add my-app *", "", 1, "", `"*" is not a domain`},
		{alice, "domains-add my-app *.com", "", 1, "", `"*.com" is not a domain`},
		{alice, "domains-add my-app localhost", "", 1, "", `"localhost" is not a domain: give a name like www.example.com or *.example.com, without port and path`},
		{alice, "domains-add my-app 192.0.2.1", "", 1, "", `"192.0.2.1" is not a domain`},
		{alice, "domains-add my-app a.b:80", "", 1, "", `"a.b:80" is not a domain`},
		{alice, "domains-add my-app a.b/c", "", 1, "", `"a.b/c" is not a domain`},
		{alice, "domains-add my-app a..b", "", 1, "", `"a..b" is not a domain`},
		{alice, "domains-add my-app -- -a.b", "", 1, "", `"-a.b" is not a domain`},
		{alice, "domains-add my-app 'a\r\nb.c'", "", 1, "", `is not a domain`},
		{alice, "domains-add my-app www.*.example.org", "", 1, "", `is not a domain`},
		{alice, "domains-add my-app", "", 2, "", "an argument is missing"},
		{lily, "domains-add my-app a.example.org", "", 1, "", "you may not do this with my-app"},
		{bob, "domains-add my-app a.example.org", "", 1, "", notYours},
	},
	"domains-remove": {
		{alice, "domains-add my-app shop.example.org", "", 0, "shop.example.org is a domain of my-app", ""},
		{alice, "set-canonical-domain my-app shop.example.org", "", 0, "my-app redirects to shop.example.org", ""},
		{alice, "domains-remove new-app shop.example.org", "", 1, "", `new-app has no domain "shop.example.org": 'domains new-app' lists those it has`},
		{alice, "domains-remove my-app shop.example.org.", "", 0, "shop.example.org. is no domain of my-app any more\n", ""},
		{alice, "apps-info my-app --json", "", 0, `"domains":[],"force_https":false`, ""},
		{alice, "domains-remove my-app shop.example.org", "", 1, "", `my-app has no domain "shop.example.org"`},
		{alice, "domains-remove my-app a/b", "", 1, "", `my-app has no domain "a/b"`},
		{lily, "domains-remove my-app a.example.org", "", 1, "", "you may not do this with my-app"},
	},
	"set-canonical-domain": {
		{alice, "set-canonical-domain my-app shop.example.org", "", 1, "", `my-app has no domain "shop.example.org": add it with 'domains-add my-app HOST' first`},
		{alice, "domains-add my-app *.example.org", "", 0, "*.example.org is a domain of my-app", ""},
		{alice, "set-canonical-domain my-app *.example.org", "", 1, "", "*.example.org stands for many names: choose one of them"},
		{bob, "set-canonical-domain my-app shop.example.org", "", 1, "", notYours},
	},
	"unset-canonical-domain": {
		{alice, "unset-canonical-domain my-app", "", 0, "my-app answers under all its hosts\n", ""},
		{lily, "unset-canonical-domain my-app", "", 1, "", "you may not do this with my-app"},
	},
	"force-https": {
		{alice, "force-https my-app --enable", "", 0, "force-https is on for my-app\n", ""},
		{alice, "apps-info my-app --json", "", 0, `"force_https":true`, ""},
		{alice, "force-https my-app --disable", "", 0, "force-https is off for my-app\n", ""},
		{alice, "force-https my-app", "", 2, "", "--enable or --disable?"},
		{alice, "force-https my-app --enable --disable", "", 2, "", "--enable or --disable?"},
		{lily, "force-https my-app --enable", "", 1, "", "you may not do this with my-app"},
	},
	"sticky-session": {
		{alice, "sticky-session my-app --enable", "", 0, "sticky-session is on for my-app\n", ""},
		{alice, "apps-info my-app --json", "", 0, `"sticky_session":true`, ""},
		{bob, "sticky-session my-app --enable", "", 1, "", notYours},
	},
	"apps-info": {
		{lily, "apps-info my-app", "", 0, "url               http://my-app.apps.example.com\n", ""},
		{alice, "apps-info my-app", "", 0, "live              deployment 1, commit ", ""},
		{alice, "apps-info new-app --json", "", 0, `{"name":"new-app","owner":"alice","status":"running","url":"http://new-app.apps.example.com","domains":[],"force_https":false,"sticky_session":false,"created":`, ""},
		{bob, "apps-info my-app", "", 1, "", notYours},
	},
	"deployment-follow": {
		{lily, "deployment-follow my-app 1", "", 0, "-----> built\n", ""},
		{alice, "deployment-follow my-app", "", 1, "", "no deployment of my-app is under way: 'deployment-logs my-app' shows the last one"},
		{alice, "deployment-follow my-app 7", "", 1, "", "my-app has no deployment 7"},
		{bob, "deployment-follow my-app 1", "", 1, "", notYours},
		{alice, "deployment-follow my-app one", "", 2, "", `"one" is not the number of a deployment`},
	},
	"deployment-cancel": {
		{alice, "deployment-cancel my-app", "", 0, "the deployment is cancelled, and what it made is gone\n", ""},
		{operator, "deployment-cancel my-app 7", "", 1, "", "deployment 7 is cancelled by operator"},
		{alice, "deployment-cancel my-app 7", "", 1, "", "deployment 7 is cancelled by alice"},
		{lily, "deployment-cancel my-app", "", 1, "", "you may not do this with my-app"},
		{bob, "deployment-cancel my-app", "", 1, "", notYours},
		{alice, "deployment-cancel", "", 2, "", "which app?"},
	},
	"deployment-delete-cache": {
		{alice, "deployment-delete-cache my-app", "", 0, "the next build of my-app begins with an empty cache\n", ""},
		{lily, "deployment-delete-cache my-app", "", 1, "", "you may not do this with my-app"},
		{bob, "deployment-delete-cache my-app", "", 1, "", notYours},
		{alice, "deployment-delete-cache my-app 1", "", 2, "", "one argument too many"},
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
	w.run(alice, "tokens-add ci", "")
	for _, line := range []string{"apps", "tokens --user alice", "keys --user alice", "users", "ps my-app", "deployments my-app", "collaborators my-app", "scale my-app web:1", "timeline my-app", "audit"} {
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
