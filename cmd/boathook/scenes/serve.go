package scenes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// process is a program under way.
type process struct {
	*os.Process
	log   string        // path of the file with its output
	ended chan struct{} // closed at its end
	err   error         // of its end, once that has come: nil for exit status 0
	asked bool          // to end; else it may end by itself only if another replaces it
}

// start starts a boathook of the scene: its output goes to a file in the scene's directory.
func start(ts *testscript.TestScript, log string, args ...string) *process {
	logFile, err := os.Create(filepath.Join(ts.Getenv("WORK"), log))
	ts.Check(err)
	defer logFile.Close()
	cmd := exec.Command("boathook", args...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.Env = append(os.Environ(), "PATH="+ts.Getenv("PATH")) // where its successor is looked for
	ts.Check(cmd.Start())
	p := &process{Process: cmd.Process, log: logFile.Name(), ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p
}

// adopt watches a program that is no child of ours, of which nobody tells the exit status.
func adopt(ts *testscript.TestScript, pid int, log string) *process {
	found, err := os.FindProcess(pid)
	ts.Check(err)
	p := &process{Process: found, log: log, ended: make(chan struct{})}
	go func() {
		for syscall.Kill(pid, 0) == nil {
			time.Sleep(20 * time.Millisecond)
		}
		close(p.ended)
	}()
	return p
}

// over tells whether it has ended.
func (p *process) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// end sends a signal to it, unless it has ended, and waits for its end.
func (p *process) end(signal syscall.Signal) error {
	p.asked = true
	if !p.over() {
		_ = p.Signal(signal) // it may end by itself meanwhile
	}
	select {
	case <-p.ended:
		return p.err
	case <-time.After(patience):
		return fmt.Errorf("process %d does not end, and is killed: %v", p.Pid, p.Kill())
	}
}

// raced is what the race detector has found in it. One that is killed, or adopted, has no exit status that would tell.
func (p *process) raced() error {
	text, err := os.ReadFile(p.log)
	if err == nil && bytes.Contains(text, []byte("WARNING: DATA RACE")) {
		err = fmt.Errorf("process %d: the race detector has found something", p.Pid)
	}
	return err
}

// says waits until a program has written a line of its log that fits, and returns what the groups of the pattern are.
func (p *process) says(ts *testscript.TestScript, log string, line *regexp.Regexp) []string {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		ended := p.over()
		if found := line.FindStringSubmatch(ts.ReadFile(log)); found != nil {
			return found[1:]
		}
		if ended || time.Now().After(deadline) {
			ts.Fatalf("no line %s, ended: %v\n%s", line, ended, ts.ReadFile(log))
		}
	}
}

// serveArgs is the flags of the scene's server.
func serveArgs(ts *testscript.TestScript, more []string) []string {
	return append([]string{
		"serve", "-data", ts.Getenv("BOATHOOK_DATA"), "-ssh-addr", "127.0.0.1:0", "-http-addr", "127.0.0.1:0", "-apps-url", "http://example.com",
		"-engine", ts.Getenv("ENGINE"), "-namespace", placeOf(ts).Namespace, "-buildpack", "none", "-stack-image", "tiny",
		"-grace-time", "200ms", "-stop-time", "2s",
	}, more...)
}

// placeOf is where the scene's boathook has what it makes; its namespace tells the scene's containers from those of all others.
func placeOf(ts *testscript.TestScript) Place {
	return Place{
		Engine: ts.Getenv("ENGINE"), Data: ts.Getenv("BOATHOOK_DATA"),
		Namespace: fmt.Sprintf("script-%d-%s", os.Getpid(), filepath.Base(ts.Getenv("WORK"))),
	}
}

var serves = regexp.MustCompile(`msg="boathook serves".* ssh=(\S+) http=(\S+) `)

// cmdServe starts boathook with the scene's engine: serve [flags]. It makes the users alice and mallory and the app my-app unless they are there, and
// sets SSH_PORT, HTTP and REMOTE. What it logs is in the file server.log.
func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	p := start(ts, "server.log", serveArgs(ts, args)...)
	sceneOf(ts).server = p
	atEnd(ts, p, "server.log")
	at := p.says(ts, "server.log", serves)
	settle(ts, at[0], at[1])
}

// atEnd ends a program when the scene has ended, if it is still there then, and destroys the apps before that. Its exit status must be 0, unless the scene
// has ended it.
func atEnd(ts *testscript.TestScript, p *process, log string) {
	data := ts.Getenv("BOATHOOK_DATA")
	ts.Defer(func() {
		var err error
		if !p.asked {
			destroyApps(data)
			err = p.end(syscall.SIGTERM)
		}
		ts.Logf("%s:\n%s", log, ts.ReadFile(log))
		if err = errors.Join(err, p.raced()); err != nil {
			sceneOf(ts).t.Fatal(log, err)
		}
	})
}

// cmdEndServe sends a signal to boathook and waits for its end: end-serve TERM|KILL. After TERM the exit status must be 0.
func cmdEndServe(ts *testscript.TestScript, neg bool, args []string) {
	endBy(ts, sceneOf(ts).server, args[0])
}

func endBy(ts *testscript.TestScript, p *process, name string) {
	signal := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}[name]
	if err := p.end(signal); err != nil && signal == syscall.SIGTERM {
		ts.Fatalf("%v", err)
	}
	ts.Check(p.raced()) // now: who is started next has the log for itself
}

// manage runs a command of the operator's, at the admin socket in a data directory.
func manage(data, stdin string, args ...string) (string, error) {
	cmd := exec.Command("boathook", args...)
	cmd.Env, cmd.Stdin = append(os.Environ(), "BOATHOOK_DATA="+data), strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("boathook %v: %w: %s", args, err, out)
	}
	return string(out), nil
}

func manageOK(ts *testscript.TestScript, stdin string, args ...string) string {
	out, err := manage(ts.Getenv("BOATHOOK_DATA"), stdin, args...)
	ts.Check(err)
	return out
}

// destroyApps removes what a scene has started, whatever its apps are called by then.
func destroyApps(data string) {
	out, err := manage(data, "", "apps", "--json")
	var all []struct{ Name string }
	if err != nil || json.Unmarshal([]byte(out), &all) != nil {
		return // nothing serves any more
	}
	for _, app := range all {
		_, _ = manage(data, "", "destroy", app.Name, "--force")
	}
}

// settle tells the scene where the server is, and makes the people and the app of a new one.
func settle(ts *testscript.TestScript, ssh, http string) {
	_, port, err := net.SplitHostPort(ssh)
	ts.Check(err)
	ts.Setenv("SSH_PORT", port)
	if http != "none" {
		ts.Setenv("HTTP", http)
	}
	ts.Setenv("REMOTE", "ssh://git@"+ssh+"/my-app.git")
	if manageOK(ts, "", "users", "--json") != "[]\n" {
		return
	}
	for _, name := range []string{"alice", "mallory"} {
		manageOK(ts, "", "users-add", name)
		manageOK(ts, publicKey(ts, name), "keys-add", "--user", name, "laptop")
	}
	manageOK(ts, "", "create", "--owner", "alice", "my-app")
}
