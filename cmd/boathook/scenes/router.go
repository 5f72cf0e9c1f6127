package scenes

import (
	"regexp"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// RouterServes fits the line of the log in which `boathook router` says its HTTP address.
var RouterServes = regexp.MustCompile(`msg="router serves".* http=(\S+) `)

// cmdRouter starts `boathook router` for the scene's data directory: router [flags]. It sets HTTP, where it was if there was one before. What it logs is
// in the file router.log.
func cmdRouter(ts *testscript.TestScript, neg bool, args []string) {
	at := ts.Getenv("HTTP")
	if at == "" {
		at = "127.0.0.1:0"
	}
	p := start(ts, "router.log", append([]string{"router", "-data", ts.Getenv("BOATHOOK_DATA"), "-http-addr", at}, args...)...)
	sceneOf(ts).router = p
	atEnd(ts, p, "router.log")
	ts.Setenv("HTTP", p.says(ts, "router.log", RouterServes)[0])
}

// cmdEndRouter sends a signal to the router and waits for its end: end-router TERM|KILL. After TERM the exit status must be 0.
func cmdEndRouter(ts *testscript.TestScript, neg bool, args []string) {
	endBy(ts, sceneOf(ts).router, args[0])
}

// cmdReplaceRouter asks the router to replace itself by another, and waits until it has ended.
func cmdReplaceRouter(ts *testscript.TestScript, neg bool, args []string) {
	old := sceneOf(ts).router
	ts.Check(old.Signal(syscall.SIGUSR2))
	sceneOf(ts).router = successor(ts, old, "router")
	atEnd(ts, sceneOf(ts).router, "router.log")
}
