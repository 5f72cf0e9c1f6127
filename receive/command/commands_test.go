package command

import (
	"errors"
	"os"
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
		{alice, "router-logs my-app", "", 0, "router-logs is off for my-app\n", ""},
		{alice, "router-logs my-app --enable", "", 0, "router-logs is on for my-app\n", ""},
		{lily, "router-logs my-app", "", 0, "router-logs is on for my-app\n", ""},
		{lily, "router-logs my-app --disable", "", 1, "", "you may not do this"},
		{alice, "router-logs --disable my-app", "", 0, "router-logs is off for my-app\n", ""},
		{alice, "router-logs my-app", "", 0, "router-logs is off for my-app\n", ""},
		{alice, "router-logs my-app --enable --disable", "", 2, "", "either --enable or --disable"},
		{bob, "router-logs my-app", "", 1, "", notYours},
	},
	"create": {
		{alice, "create next-app", "", 0, "next-app is created for alice: 'git remote add scalingo ssh://git@example.com:2222/next-app.git'", ""},
		{operator, "create --owner bob bobs-app", "", 0, "bobs-app is created for bob", ""},
		{bob, "create my-app", "", 1, "", "the name my-app is taken"},
		{bob, "create other-app --owner alice", "", 1, "", noUsers},
		{bob, "create x", "", 1, "", "cannot name an app"},
		{bob, "create", "", 2, "", "which app?\nusage: create NAME [--owner USER] [--json]\n"},
		{bob, "create a-name b-name", "", 2, "", `"b-name" is one argument too many`},
		{bob, "create a-name --json", "", 0, `{"name":"a-name","owner":"bob","remote":"ssh://git@example.com:2222/a-name.git"}`, ""},
		{bob, "create b-name --colour", "", 2, "", "not defined: -colour"},
	},
	"apps": {
		{alice, "apps", "", 0, "my-app   running  alice  1     2", ""},
		{bob, "apps", "", 0, "APP  STATUS  OWNER  LIVE  CREATED\n", ""},
		{bob, "apps --json", "", 0, "[]\n", ""},
		{lily, "apps --json", "", 0, `[{"name":"my-app","status":"running","owner":"alice","live":1,`, ""},
		{alice, "apps my-app", "", 2, "", "one argument too many"},
	},
	"rename": {
		{lily, "rename my-app next-app", "", 1, "", "you may not do this with my-app: ask its owner alice"},
		{bob, "rename my-app next-app", "", 1, "", notYours},
		{alice, "rename my-app new-app", "", 1, "", "the name new-app is taken: choose another"},
		{alice, "rename my-app my-app", "", 1, "", "the name my-app is taken: choose another"},
		{alice, "rename my-app Shop", "", 1, "", `"Shop" cannot name an app: use 6 to 48 lower-case letters`},
		{alice, "rename my-app", "", 2, "", "an argument is missing"},
		{alice, "rename my-app next-app", "", 0, "my-app is next-app now, at http://next-app.apps.example.com: 'git remote set-url scalingo ssh://git@example.com:2222/next-app.git' in each clone\n", ""},
		{alice, "env my-app", "", 1, "", notYours},
		{alice, "env next-app", "", 0, "GREETING=hello you\nTOKEN=secret\n", ""},
		{lily, "ps next-app", "", 0, "web-1", ""},
		{alice, "timeline next-app", "", 0, "alice     rename from my-app ", ""},
		{alice, "timeline next-app", "", 0, "operator  env-set GREETING TOKEN ", ""},
		{alice, "rename --app next-app --new-name", "", 2, "", "flag needs an argument"},
		{alice, "rename --app next-app --new-name some-app other-app", "", 2, "", `"some-app" is one argument too many`},
		{alice, "rename --app next-app --new-name some-app", "", 0, "next-app is some-app now, at", ""},
		{alice, "rename -a some-app next-app", "", 0, "some-app is next-app now, at", ""},
		{alice, "rename next-app last-app --json", "", 0, `{"name":"last-app","was":"next-app","url":"http://last-app.apps.example.com","remote":"ssh://git@example.com:2222/last-app.git"}`, ""},
	},
	"destroy": {
		{bob, "destroy my-app --force", "", 1, "", notYours},
		{lily, "destroy my-app", "my-app\n", 1, "", "you may not do this with my-app: ask its owner alice\n"},
		{alice, "destroy my-app", "my-ap\n", 1, "", "Type my-app to destroy it with everything it has:\nmy-app was not destroyed"},
		{alice, "destroy my-app", "", 1, "", "was not destroyed"},
		{alice, "destroy my-app", "my-app\n", 0, "my-app is destroyed, with everything it had\n", "Type my-app"},
		{alice, "destroy --force new-app", "", 0, "new-app is destroyed, with everything it had\n", ""},
		{alice, "destroy", "", 2, "", "which app?"},
	},
	"keys": {
		{alice, "keys", "", 0, "NAME  TYPE  BITS  FINGERPRINT  ADDED  USED  FROM  EXPIRES  APP\n", ""},
		{alice, "keys --json", "", 0, "[]\n", ""},
		{bob, "keys --user alice", "", 1, "", noUsers},
		{operator, "keys --user nobody", "", 1, "", `there is no user "nobody"`},
		{alice, "keys alice", "", 2, "", "one argument too many"},
		{alice, "keys-add laptop id.pub", "", 2, "", `"id.pub" is one argument too many: a file is named with --key on the host, and over ssh comes from standard input`},
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
		{bob, "keys-add late --expires 9999-12-31 --json", numberedKey(7), 2, "", "choose a last day before 9999-12-31, or leave --expires out for what never ends\nusage: keys-add "},
		{bob, "keys --json", "", 0, "[]\n", ""},
		{bob, "keys-add late --expires 9999-12-30 --json", numberedKey(7), 0, `"expires":"9999-12-31T00:00:00Z"`, ""},
		{bob, "keys-add later --expires 99999d --json", numberedKey(8), 0, `"expires":"2`, ""},
		{bob, "keys --json", "", 0, `"expires":"9999-12-31T00:00:00Z"`, ""},
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
		{alice, "keys-remove laptop", "", 0, "the key laptop is removed\n", ""},
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
		{alice, "tokens-add late --expires 9999-12-31 --json", "", 2, "", "choose a last day before 9999-12-31"},
		{alice, "tokens --json", "", 0, `"expires":"3000-01-01T00:00:00Z"}]`, ""},
		{bob, "tokens-add ci --user alice", "", 1, "", noUsers},
		{alice, "tokens-add", "", 2, "", "an argument is missing"},
	},
	"tokens-remove": {
		{alice, "tokens-add ci", "", 0, "boathook_1_", "Keep this token"},
		{bob, "tokens-remove ci", "", 1, "", `there is no token "ci": 'tokens' lists them`},
		{bob, "tokens-remove ci --user alice", "", 1, "", noUsers},
		{operator, "tokens-remove ci --user alice", "", 0, "the token ci is removed\n", ""},
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
		{operator, "users-remove bob", "", 0, "bob is no user any more\n", ""},
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
		{alice, "env-set my-app A=1 'B=x=y z' C=", "", 0, "A, B, C are set for my-app. The containers that run go on as they are until a restart: ssh -p 2222 git@example.com restart my-app\n", ""},
		{operator, "env-set my-app A=1", "", 0, "A is set for my-app. The containers that run go on as they are until a restart: boathook restart my-app\n", ""},
		{alice, "env my-app", "", 0, "A=1\nB=x=y z\nC=\n", ""},
		{alice, "env-set my-app A=1 --restart", "", 0, "A is set for my-app, and the app is restarted\n", ""},
		{alice, "timeline my-app -n 1", "", 0, "alice  restart  ok\n", ""},
		{alice, "env-set my-app A=1 --json", "", 0, `{"app":"my-app","set":["A"],"restarted":false,"restart_needed":true}`, ""},
		{alice, "env-set my-app A=1 --json --restart", "", 0, `{"app":"my-app","set":["A"],"restarted":true,"restart_needed":false}`, ""},
		{alice, "env-set new-app A=1 --restart", "", 0, "A is set for new-app, from the first deployment on\n", ""},
		{lily, "env-set my-app A=1 --restart", "", 1, "", "you may not do this"},
		{bob, "env-set my-app A=1", "", 1, "", notYours},
		{lily, "env-set my-app A=1", "", 1, "", "you may not do this"},
		{alice, "env-set my-app _A=1", "", 1, "", "cannot name a variable"},
		{alice, "env-set my-app A", "", 2, "", `"A" is not NAME=VALUE`},
		{alice, "env-set my-app A=s3cret w0rd B=2", "", 2, "", `what comes after the value of A is not NAME=VALUE: ssh takes one pair of quotes off, so a value with blanks has two, 'A="two words"'`},
		{operator, "env-set my-app A=s3cret w0rd", "", 2, "", `what comes after the value of A is not NAME=VALUE: a value with blanks is quoted, 'A=two words'`},
		{alice, "env-set new-app PORT=80 A=1 APP=x", "", 0, "A, APP, PORT are set for new-app, from the first deployment on\n", "APP, PORT: containers get the platform's own value, whatever is set\n"},
		{alice, "env-set my-app A=- NEW=1", "\xe4", 1, "", "the value of A is not text in UTF-8, as every value is: encode it, with 'base64' for one\n"},
		{alice, "env-get my-app NEW", "", 1, "", `"NEW" is not set`},
		{alice, "env-set my-app A=1 A=2", "", 2, "", `"A" is given twice`},
		{alice, "env-set my-app A=- B=-", "x", 2, "", "not both A and B"},
		{alice, "env-set my-app", "", 2, "", "an argument is missing"},
	},
	"env-unset": {
		{alice, "env-unset my-app NOPE", "", 1, "", "NOPE is not set"},
		{lily, "env-unset my-app TOKEN", "", 1, "", "you may not do this"},
		{alice, "env-unset my-app TOKEN", "", 0, "TOKEN is removed from my-app. The containers that run go on as they are until a restart: ssh -p 2222 git@example.com restart my-app\n", ""},
		{alice, "env-unset my-app GREETING --restart --json", "", 0, `{"app":"my-app","unset":["GREETING"],"restarted":true,"restart_needed":false}`, ""},
		{alice, "env my-app", "", 0, "", ""},
		{alice, "env-unset my-app", "", 2, "", "an argument is missing"},
	},
	"ps": {
		{alice, "ps my-app", "", 0, "web-1  running  M     2023-11-14 22:13:20  run\ufffd[2J\ufffdx\n", ""},
		{lily, "ps my-app --json", "", 0, `[{"name":"web-1","status":"running","size":"M",`, ""},
		{bob, "ps my-app", "", 1, "", notYours},
		{bob, "ps", "", 2, "", "which app?"},
	},
	"stats": {
		{lily, "stats my-app", "", 0, "NAME      CPU    MEMORY  LIMIT\nweb-1     12.3%  100MiB  512MiB\nworker-1  0.0%   1.5KiB  -\n", ""},
		{alice, "stats my-app --json", "", 0, `[{"name":"web-1","cpu":12.345,"memory":104857600,"limit":536870912},{"name":"worker-1","cpu":0,"memory":1536}]` + "\n", ""},
		{bob, "stats my-app", "", 1, "", notYours},
		{alice, "stats my-app web-1", "", 2, "", "one argument too many"},
	},
	"send-signal": {
		{alice, "send-signal my-app --signal SIGUSR1 web", "", 0, "USR1 is sent to web-1\n", ""},
		{alice, "send-signal my-app --signal=hup web-1 --json", "", 0, `[{"name":"web-1","signal":"HUP"}]` + "\n", ""},
		{alice, "send-signal -a my-app -s HUP web-1", "", 0, "HUP is sent to web-1\n", ""},
		{alice, "send-signal my-app --signal HUP clock", "", 1, "", "HUP is sent to nobody: my-app has no clock"},
		{alice, "send-signal my-app --signal STOP web", "", 1, "", `"STOP" is no signal that can be sent: choose one of HUP, INT, `},
		{alice, "timeline my-app -n 3", "", 0, "send-signal ? web      invalid input\n", ""},
		{alice, "timeline my-app -n 3", "", 0, "send-signal HUP web-1  ok\n", ""},
		{alice, "send-signal my-app web", "", 2, "", "which signal? --signal USR1, for one"},
		{alice, "send-signal my-app --signal HUP", "", 2, "", "an argument is missing"},
		{lily, "send-signal my-app --signal HUP web", "", 1, "", "you may not do this"},
		{bob, "send-signal my-app --signal HUP web", "", 1, "", notYours},
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
		{alice, "restart new-app web", "", 1, "", "new-app has nothing to restart yet: 'git push scalingo master' makes the first release\n"},
		{bob, "restart my-app", "", 1, "", notYours},
		{alice, "restart", "", 2, "", "which app?"},
	},
	"run": {
		{alice, "run my-app uptime", "typed", 0, "my-app  map[]: uptime typed\n", ""},
		{alice, "run --size l --env A=1 --env B=x=y my-app ls -l --json 'a b' $HOME", "", 0, "my-app L map[A:1 B:x=y]: ls -l --json 'a b' $HOME \n", ""},
		{alice, "run -a my-app --size S -- ls --size", "", 0, "my-app S map[]: ls --size \n", ""},
		{alice, "run my-app --size S 'a && $B'", "", 0, "my-app S map[]: a && $B \n", ""},
		{alice, "run my-app  a && b | c > 'd  e'; f", "", 0, "my-app  map[]: a && b | c > 'd  e'; f \n", ""},
		{alice, "run --detached my-app uptime", "", 0, "one-off-1234\n", ""},
		{alice, "run -d my-app uptime", "", 0, "one-off-1234\n", ""},
		{alice, "run -a my-app -s l -e A=1 --env B=2 ls -d", "", 0, "my-app L map[A:1 B:2]: ls -d \n", ""},
		{alice, "run -e A=1 --env A=2 my-app uptime", "", 2, "", `"A" is given twice`},
		{alice, "run my-app 'exit 7'", "", 7, "", ""},
		{alice, "timeline my-app -n 1", "", 0, "run exit 7", ""},
		{alice, "run --env KEY=s3cret my-app uptime", "", 0, "KEY:s3cret", ""},
		{alice, "timeline my-app -n 1", "", 0, "run --env KEY uptime", ""},
		{alice, "run my-app 'echo \xe4'", "", 1, "", "the command is not text in UTF-8: put it into a script of the app\n"},
		{alice, "run --env A=\xe4 my-app uptime", "", 1, "", "the value of A is not text in UTF-8"},
		{alice, "help run", "", 0, "so a secret does not belong in it: give it with --env, or as a variable of the app\n", ""},
		{alice, "run new-app uptime", "", 1, "", "new-app has no release yet"},
		{alice, "run --size XS my-app uptime", "", 1, "", `there is no size "XS": choose one of S, M, L, XL, 2XL, 3XL`},
		{alice, "run --env _A=1 my-app uptime", "", 1, "", "cannot name a variable"},
		{alice, "run --json my-app", "", 2, "", "which command?"},
		{alice, "run --env A my-app uptime", "", 2, "", `"A" is not NAME=VALUE`},
		{alice, "run --env A=1 --env A=2 my-app uptime", "", 2, "", `"A" is given twice`},
		{alice, "run my-app", "", 2, "", "which command?"},
		{alice, "run my-app '  '", "", 2, "", "which command?"},
		{alice, "run", "", 2, "", "which app?"},
		{lily, "run my-app uptime", "", 1, "", "you may not do this"},
		{bob, "run my-app uptime", "", 1, "", notYours},
	},
	"one-off-stop": {
		{alice, "one-off-stop my-app one-off-1234", "", 0, "one-off-1234 of my-app is stopped\n", ""},
		{alice, "one-off-stop my-app web-1", "", 1, "", "my-app runs no such one-off: 'ps my-app' lists them"},
		{alice, "one-off-stop my-app", "", 2, "", "an argument is missing"},
		{lily, "one-off-stop my-app one-off-1234", "", 1, "", "you may not do this"},
		{bob, "one-off-stop my-app one-off-1234", "", 1, "", notYours},
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
		{alice, "deployments my-app", "", 0, "1   success  master  c0ffee00  alice   ", ""},
		{alice, "deployments my-app", "", 0, "s ago\n", ""},
		{lily, "deployments my-app --json", "", 0, `,"duration":`, ""},
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
		{alice, "domains my-app", "", 0, "DOMAIN  CANONICAL  ADDED  CERTIFICATE  EXPIRES  ISSUER  PROBLEM\n", ""},
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
	"domains-ssl": {
		{alice, "domains-ssl my-app shop.example.org", shopCertificate, 1, "", `my-app has no domain "shop.example.org": add it with 'domains-add my-app HOST' first`},
		{alice, "domains-add my-app shop.example.org", "", 0, "shop.example.org is a domain of my-app", ""},
		{alice, "domains-ssl my-app shop.example.org", "", 1, "", "there is no certificate: give it in PEM"},
		{alice, "domains-ssl my-app shop.example.org --disable", "", 1, "", `"shop.example.org" has no certificate of its own: 'domains my-app' lists them`},
		{alice, "domains-ssl my-app shop.example.org", shopCertificate, 0, "shop.example.org has its own certificate, by CN=ours, until 20", ""},
		{lily, "domains my-app --json", "", 0, `"certificate":{"source":"own","expires":"20`, ""},
		{lily, "domains my-app --json", "", 0, `"issuer":"CN=ours"}}]` + "\n", ""},
		{lily, "domains my-app", "", 0, "  own          20", ""},
		{alice, "domains-ssl my-app shop.example.org --cert a.pem --key b.pem", "", 2, "", "files can only be named on the host, both of them: use 'cat CERT KEY | ssh -p 2222 git@example.com domains-ssl my-app shop.example.org'"},
		{alice, "domains-ssl my-app shop.example.org --json", shopCertificate, 0, `{"app":"my-app","host":"shop.example.org","certificate":{"source":"own","expires":"20`, ""},
		{alice, "domains-ssl my-app", "", 2, "", "an argument is missing"},
		{alice, "domains-ssl my-app shop.example.org", strings.Repeat("x", 70_000), 1, "", "standard input is too long"},
		{lily, "domains-ssl my-app shop.example.org", shopCertificate, 1, "", "you may not do this with my-app"},
		{bob, "domains-ssl my-app shop.example.org --disable", "", 1, "", notYours},
		{alice, "domains-ssl my-app shop.example.org --disable", "", 0, "shop.example.org has no certificate of its own any more\n", ""},
		{alice, "domains my-app", "", 0, "  -            -", ""},
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
		{lily, "force-https my-app", "", 0, "force-https is on for my-app\n", ""},
		{alice, "force-https my-app --disable", "", 0, "force-https is off for my-app\n", ""},
		{alice, "force-https my-app --enable --disable", "", 2, "", "either --enable or --disable"},
		{alice, "force-https my-app --disable=false", "", 0, "force-https is on for my-app\n", ""},
		{alice, "force-https my-app", "", 0, "force-https is on for my-app\n", ""},
		{alice, "force-https --enable=false my-app", "", 0, "force-https is off for my-app\n", ""},
		{alice, "force-https my-app --enable --disable=false", "", 0, "force-https is on for my-app\n", ""},
		{alice, "force-https my-app --enable=false --disable=false", "", 2, "", "either --enable or --disable"},
		{alice, "force-https my-app", "", 0, "force-https is on for my-app\n", ""},
		{lily, "force-https my-app --enable", "", 1, "", "you may not do this with my-app"},
	},
	"sticky-session": {
		{alice, "sticky-session my-app --enable", "", 0, "sticky-session is on for my-app\n", ""},
		{alice, "apps-info my-app --json", "", 0, `"sticky_session":true`, ""},
		{lily, "sticky-session my-app", "", 0, "sticky-session is on for my-app\n", ""},
		{bob, "sticky-session my-app", "", 1, "", notYours},
		{bob, "sticky-session my-app --enable", "", 1, "", notYours},
	},
	"maintenance": {
		{alice, "maintenance my-app", "", 0, "maintenance is off for my-app\n", ""},
		{alice, "maintenance my-app --enable", "", 0, "maintenance is on for my-app\n", ""},
		{alice, "apps-info my-app --json", "", 0, `"maintenance":true,"pages":[]`, ""},
		{lily, "maintenance my-app", "", 0, "maintenance is on for my-app\n", ""},
		{lily, "maintenance my-app --disable", "", 1, "", "you may not do this with my-app"},
		{bob, "maintenance my-app", "", 1, "", notYours},
		{bob, "maintenance my-app --disable", "", 1, "", notYours},
		{alice, "maintenance my-app --enable --disable", "", 2, "", "either --enable or --disable"},
		{alice, "maintenance my-app --disable", "", 0, "maintenance is off for my-app\n", ""},
	},
	"maintenance-page": {
		{alice, "maintenance-page my-app", "<p>back soon", 0, "my-app shows this page of 12 bytes while it is in maintenance\n", ""},
		{alice, "apps-info my-app", "", 0, "own pages         maintenance-page\n", ""},
		{lily, "maintenance-page my-app --show", "", 0, "<p>back soon", ""},
		{lily, "maintenance-page my-app --remove", "", 1, "", "you may not do this with my-app"},
		{bob, "maintenance-page my-app --show", "", 1, "", notYours},
		{alice, "error-page my-app --show", "", 1, "", "my-app has no error page of its own"},
		{alice, "maintenance-page my-app --remove", "", 0, "my-app has no maintenance page of its own any more\n", ""},
		{alice, "maintenance-page my-app --remove", "", 1, "", "my-app has no maintenance page of its own: 'maintenance-page my-app < page.html' gives it one"},
	},
	"error-page": {
		{alice, "error-page my-app", "<p>sorry \u00e4\n", 0, "my-app shows this page of 12 bytes where the router answers 502, 503 or 504\n", ""},
		{alice, "error-page my-app --show", "", 0, "<p>sorry \u00e4\n", ""},
		{alice, "apps-info my-app --json", "", 0, `"pages":["error-page"]`, ""},
		{alice, "error-page my-app", " \n", 1, "", "the page is empty: give its HTML on standard input"},
		{alice, "error-page my-app", strings.Repeat("x", apps.MaxPage+1), 1, "", "standard input is too long: at most 1048576 bytes"},
		{alice, "error-page my-app", "<p>\xe4", 1, "", "the page is not text in UTF-8"},
		{alice, "error-page my-app", "\x00", 1, "", "the page is not text in UTF-8"},
		{alice, "error-page my-app --show", "", 0, "<p>sorry \u00e4\n", ""},
		{lily, "error-page my-app", "<p>mine", 1, "", "you may not do this with my-app"},
		{bob, "error-page my-app", "<p>mine", 1, "", notYours},
		{alice, "error-page my-app --show --remove", "", 2, "", "either --show or --remove"},
		{alice, "error-page my-app page.html", "", 2, "", `"page.html" is one argument too many`},
		{alice, "error-page", "", 2, "", "which app?"},
		{alice, "error-page my-app", strings.Repeat("x", apps.MaxPage), 0, "1048576 bytes", ""},
	},
	"apps-info": {
		{lily, "apps-info my-app", "", 0, "url               http://my-app.apps.example.com\n", ""},
		{alice, "apps-info my-app", "", 0, "live              deployment 1, commit ", ""},
		{alice, "apps-info my-app", "", 0, "certificate       acme, until 2023-11-14 22:13:20, by CN=authority\ncertificate       was not renewed\n", ""},
		{alice, "apps-info my-app --json", "", 0, `"certificate":{"source":"acme","expires":"2023-11-1`, ""},
		{alice, "apps-info new-app --json", "", 0, `{"name":"new-app","owner":"alice","status":"running","url":"http://new-app.apps.example.com","domains":[],"force_https":false,"sticky_session":false,"maintenance":false,"pages":[],"created":`, ""},
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
		{alice, "collaborators my-app", "", 0, "USER   ROLE\nalice  owner\nlily   limited\n", ""},
		{alice, "collaborators my-app --json", "", 0, `[{"user":"alice","role":"owner"},{"user":"lily","role":"limited"}]`, ""},
		{alice, "collaborators new-app --json", "", 0, `[{"user":"alice","role":"owner"}]`, ""},
		{bob, "collaborators my-app", "", 1, "", notYours},
		{bob, "collaborators", "", 2, "", "which app?"},
	},
	"collaborators-add": {
		{lily, "collaborators-add my-app bob", "", 1, "", "you may not do this"},
		{alice, "collaborators-add my-app bob", "", 0, "bob is a collaborator of my-app\n", ""},
		{bob, "env my-app", "", 0, "TOKEN=secret", ""},
		{alice, "collaborators-add my-app bob --limited", "", 0, "bob is a limited collaborator of my-app\n", ""},
		{alice, "collaborators-add my-app nobody", "", 1, "", `there is no user "nobody"`},
		{alice, "collaborators-add my-app", "", 2, "", "an argument is missing"},
	},
	"collaborators-remove": {
		{lily, "collaborators-remove my-app lily", "", 1, "", "you may not do this"},
		{alice, "collaborators-remove my-app lily", "", 0, "lily is no collaborator of my-app any more\n", ""},
		{lily, "ps my-app", "", 1, "", notYours},
		{alice, "collaborators-remove my-app lily", "", 1, "", "lily is not a collaborator of my-app"},
		{alice, "collaborators-remove my-app", "", 2, "", "an argument is missing"},
	},
	"timeline": {
		{alice, "env-set my-app KEY=s3cret-value", "", 0, "KEY is set for my-app.", ""},
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
		{bob, "", "", 0, "create                   NAME [--owner USER] [--json]\n", ""},
		{bob, "help", "", 0, "help                     [COMMAND] [--json]\n", ""},
		{bob, "help env-set", "", 0, "one newline at its end is cut off", ""},
		{bob, "help collaborators-add", "", 0, "--limited: to look and to restart, not to deploy\n", ""},
		{bob, "help keys-add", "", 0, "--app: only for pushing to APP, cloning it and reading its deployments' logs, for CI\n", ""},
		{bob, "help users --json", "", 0, `{"name":"users","usage":"[--json]","summary":"list users"}` + "\n", ""},
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

// A command is found by its name: each has a file that is called like it.
func TestFiles(t *testing.T) {
	for _, cmd := range Commands() {
		if _, err := os.Stat(strings.ReplaceAll(cmd.Name, "-", "_") + ".go"); err != nil {
			t.Error(err)
		}
	}
}

// A mistyped assignment may be a secret that the shell cut in two.
func TestMistakesDoNotRepeatValues(t *testing.T) {
	w := newWorld(t)
	for _, line := range []string{"env-set my-app TOKEN=s3cret TOKEN=s3cret", "env-set my-app TOKEN=a s3cret", "env-set my-app TOKEN=a =s3cret"} {
		status, _, stderr := w.run(alice, line, "")
		if status != 2 || strings.Contains(stderr, "s3cret") {
			t.Errorf("%s: status %d, stderr %q", line, status, stderr)
		}
	}
}

func TestLogOptions(t *testing.T) {
	w := newWorld(t)
	for line, want := range map[string]apps.LogOptions{
		"logs my-app":                            {Lines: 100},
		"logs -f my-app":                         {Lines: 100, Follow: true},
		"logs my-app -n 5 --filter web -f":       {Lines: 5, Follow: true, Filter: "web"},
		"logs --filter=worker-1 -a my-app -n 0":  {Filter: "worker-1"},
		"logs my-app --json":                     {Lines: 100, JSON: true},
		"logs -a my-app --lines 5 --follow -F w": {Lines: 5, Follow: true, Filter: "w"},
		"logs --lines=5 my-app --follow=false":   {Lines: 5},
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
