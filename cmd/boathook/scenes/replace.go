package scenes

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdReplace asks boathook to replace itself.
func cmdReplace(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(sceneOf(ts).server.Signal(syscall.SIGUSR2))
}

// cmdSchema says of the scene's database that it is of another schema, while boathook works with it, and sets SCHEMA to the one that it was
// first: schema NUMBER.
func cmdSchema(ts *testscript.TestScript, neg bool, args []string) {
	db, err := sql.Open("sqlite", filepath.Join(ts.Getenv("BOATHOOK_DATA"), "boathook.db")+"?_pragma=busy_timeout(10000)")
	ts.Check(err)
	defer db.Close()
	if ts.Getenv("SCHEMA") == "" {
		var schema string
		ts.Check(db.QueryRow("PRAGMA user_version").Scan(&schema))
		ts.Setenv("SCHEMA", schema)
	}
	_, err = db.Exec("PRAGMA user_version = " + args[0])
	ts.Check(err)
}

// cmdSucceed waits for the end of a boathook that was asked to replace itself, and takes the one that serves then for the scene's.
func cmdSucceed(ts *testscript.TestScript, neg bool, args []string) {
	sceneOf(ts).server = successor(ts, sceneOf(ts).server, "serve")
	atEnd(ts, sceneOf(ts).server, "server.log")
}

// successor waits for the end of a program that was asked to replace itself, and returns the one that it has left behind.
func successor(ts *testscript.TestScript, old *process, verb string) *process {
	select {
	case <-old.ended:
	case <-time.After(patience):
		ts.Fatalf("the boathook %s that was to be replaced does not end", verb)
	}
	ts.Check(old.err)
	pid := findProcess(ts, "\x00"+verb+"\x00-data\x00"+ts.Getenv("BOATHOOK_DATA")+"\x00")
	if pid == 0 {
		ts.Fatalf("there is no boathook %s after the end of the one that was replaced", verb)
	}
	return adopt(ts, pid, old.log)
}

// findProcess finds one by what its command line contains, its words ended by NUL; 0 if there is none.
func findProcess(ts *testscript.TestScript, words string) (pid int) {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	ts.Check(err)
	for _, line := range lines {
		if text, err := os.ReadFile(line); err == nil && bytes.Contains(text, []byte(words)) { // a process that has just ended is no concern
			pid, err = strconv.Atoi(filepath.Base(filepath.Dir(line)))
			ts.Check(err)
		}
	}
	return pid
}
