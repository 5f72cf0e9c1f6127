package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var serving = regexp.MustCompile(`msg="boathook serves".* ssh=(\S+) http=(\S+) `)

// cmdDaemon is serve with boathook in a process of its own, which end-daemon can end in each of the ways: daemon [flags]. What it
// logs is in the file daemon.log.
func cmdDaemon(ts *testscript.TestScript, neg bool, args []string) {
	logFile, err := os.Create(filepath.Join(ts.Getenv("WORK"), "daemon.log"))
	ts.Check(err)
	defer logFile.Close()
	cmd := exec.Command("boathook", append([]string{"serve"}, serveArgs(ts, args)...)...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.Env = append(os.Environ(), "PATH="+ts.Getenv("PATH")) // where its successor is looked for
	ts.Check(cmd.Start())
	sceneOf(ts).daemon = cmd
	ts.Defer(func() {
		if cmd.ProcessState == nil { // the scene has failed, or left it running
			destroyApp(ts.Getenv("BOATHOOK_DATA"))
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		}
		ts.Logf("daemon log:\n%s", ts.ReadFile("daemon.log"))
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if found := serving.FindStringSubmatch(ts.ReadFile("daemon.log")); found != nil {
			settle(ts, found[1], found[2])
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("boathook does not serve")
		}
	}
}

// cmdEndDaemon sends a signal to the daemon and waits for its end: end-daemon TERM|KILL. After TERM the exit status must be 0.
func cmdEndDaemon(ts *testscript.TestScript, neg bool, args []string) {
	cmd := sceneOf(ts).daemon
	signal := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}[args[0]]
	ts.Check(cmd.Process.Signal(signal))
	if err := cmd.Wait(); err != nil && signal == syscall.SIGTERM {
		ts.Fatalf("boathook serve: %v", err)
	}
}
