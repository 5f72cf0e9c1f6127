package scenes

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdPush starts git push in the background, in a process group of its own as a terminal would: push NAME DIR ARGS. Its
// output goes to the file NAME.out.
func cmdPush(ts *testscript.TestScript, neg bool, args []string) {
	out, err := os.Create(ts.MkAbs(args[0] + ".out"))
	ts.Check(err)
	defer out.Close()
	cmd := exec.Command("git", append([]string{"-C", ts.MkAbs(args[1]), "push"}, args[2:]...)...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	for _, name := range []string{"PATH", "HOME", "GIT_SSH_COMMAND", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "LC_ALL"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	ts.Check(cmd.Start())
	sceneOf(ts).pushes[args[0]] = cmd
	ts.Defer(func() {
		if running := sceneOf(ts).pushes[args[0]]; running != nil {
			_ = syscall.Kill(-running.Process.Pid, syscall.SIGKILL) // the scene has failed already
			_ = running.Wait()
		}
	})
}

// cmdKillPush interrupts git and the ssh below it, as Ctrl-C does: kill-push NAME.
func cmdKillPush(ts *testscript.TestScript, neg bool, args []string) {
	cmd := takePush(ts, args[0])
	ts.Check(syscall.Kill(-cmd.Process.Pid, syscall.SIGINT))
	ts.Check(syscall.Kill(-cmd.Process.Pid, syscall.SIGCONT)) // should it have been halted
	if cmd.Wait() == nil {
		ts.Fatalf("the push ended well before it was interrupted")
	}
}

// cmdStopReading halts git and the ssh below it, which goes on living: stop-reading NAME.
func cmdStopReading(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(syscall.Kill(-sceneOf(ts).pushes[args[0]].Process.Pid, syscall.SIGSTOP))
}

// cmdWaitPush waits for a push and fails, or with ! does not, where git did: wait-push NAME.
func cmdWaitPush(ts *testscript.TestScript, neg bool, args []string) {
	err := takePush(ts, args[0]).Wait()
	ts.Logf("%s", ts.ReadFile(args[0]+".out"))
	if (err != nil) != neg {
		ts.Fatalf("git push: %v", err)
	}
}

func takePush(ts *testscript.TestScript, name string) *exec.Cmd {
	cmd := sceneOf(ts).pushes[name]
	if cmd == nil {
		ts.Fatalf("no push %s runs", name)
	}
	delete(sceneOf(ts).pushes, name)
	return cmd
}

// said tells whether a background push has printed a text: said NAME TEXT.
func said(ts *testscript.TestScript, args []string) bool {
	return strings.Contains(ts.ReadFile(args[0]+".out"), args[1])
}

// deployed tells whether the newest deployment of my-app has a status: deployed STATUS.
func deployed(ts *testscript.TestScript, args []string) bool {
	newest, err := stored(ts).Deployments(context.Background(), "my-app", 1)
	ts.Check(err)
	return len(newest) == 1 && string(newest[0].Status) == args[0]
}

// hasState tells whether a container of my-app is in a state: container NAME STATE.
func hasState(ts *testscript.TestScript, args []string) bool {
	var all []struct{ Name, Status string }
	ts.Check(json.Unmarshal([]byte(manageOK(ts, "", "ps", "my-app", "--json")), &all))
	return slices.ContainsFunc(all, func(c struct{ Name, Status string }) bool { return c.Name == args[0] && c.Status == args[1] })
}

// predicate makes a command of a question.
func predicate(holds func(*testscript.TestScript, []string) bool) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if holds(ts, args) == neg {
			ts.Fatalf("%v: not so", args)
		}
	}
}

// cmdAwait asks until it is so: await said …, await deployed …, await container …, await PROGRAM ARGS.
func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	ask := func() bool { return ts.Exec(args[0], args[1:]...) == nil }
	switch args[0] {
	case "said":
		ask = func() bool { return said(ts, args[1:]) }
	case "deployed":
		ask = func() bool { return deployed(ts, args[1:]) }
	case "container":
		ask = func() bool { return hasState(ts, args[1:]) }
	}
	for deadline := time.Now().Add(patience); !ask(); time.Sleep(30 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("%v has not come true", args)
		}
	}
}

// cmdGitDaemon serves the scene's directory by git's own protocol on loopback and sets GIT_URL: gitdaemon DIR. As it is here that is listened,
// nobody else gets the port.
func cmdGitDaemon(ts *testscript.TestScript, neg bool, args []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	daemon := []string{"daemon", "--inetd", "--log-destination=none", "--export-all", "--base-path=" + ts.MkAbs("."), filepath.Clean(ts.MkAbs(args[0]))}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // the scene has ended
			}
			serving.Go(func() { serveGit(ctx, daemon, conn) })
		}
	})
	ts.Defer(func() {
		_ = listener.Close()
		cancel()
		serving.Wait()
	})
	ts.Setenv("GIT_URL", "git://"+listener.Addr().String())
}

// serveGit has a git daemon of its own answer one client, who finds out if that fails.
func serveGit(ctx context.Context, daemon []string, conn net.Conn) {
	defer conn.Close()
	socket, err := conn.(*net.TCPConn).File()
	if err != nil {
		return
	}
	defer socket.Close()
	cmd := exec.CommandContext(ctx, "git", daemon...)
	cmd.Stdin, cmd.Stdout = socket, socket
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	_ = cmd.Run()
}
