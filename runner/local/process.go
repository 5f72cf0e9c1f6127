package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	adoptedPoll = 100 * time.Millisecond // how often an adopted process is looked at
	strayPoll   = 5 * time.Millisecond   // between two rounds of killing what is left
	strayRounds = 400                    // then what does not die is left alone
)

// process is the main process of an instance: a child of ours, or one adopted from an earlier boathook.
// Its PID is also its process group and its session.
type process struct {
	pid   int
	id    string   // see identity
	marks []string // environment entries that only processes of the instance have

	// ended is closed when a child was reaped; code is valid from then on. Nil if adopted.
	ended chan struct{}
	code  int

	mu     sync.Mutex // guards reaped; held while signalling, so that the PID stays the child's
	reaped bool
}

// startProcess runs argv in dir with exactly env.
func startProcess(argv []string, dir string, env, marks []string, with stdio) (*process, error) {
	path, err := lookPath(argv[0], dir, env)
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{
		Path: path, Args: argv, Dir: dir, Env: env, Stdout: with.out, Stderr: with.err,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: with.terminal}, // of its standard input
	}
	if with.in != nil {
		cmd.Stdin = with.in
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	p := &process{pid: cmd.Process.Pid, marks: marks, ended: make(chan struct{})}
	p.id, _, err = identity(p.pid)
	go p.reap(cmd) // ends with the child: nothing can make a wait for it return earlier
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", argv[0], err), p.kill())
	}
	return p, nil
}

// reap waits for the child, kills what is left of its instance, and collects it, in this order: as long
// as the child is a zombie nobody else can get its PID, group or session.
func (p *process) reap(cmd *exec.Cmd) {
	defer close(p.ended)
	awaitZombie(p.pid)
	killStrays(p.pid, p.marks)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reaped = true
	p.code = exitCode(cmd.Wait(), cmd.ProcessState)
}

// exitCode is the code of a shell: 128+n for signal n; -1 if there is no telling.
func exitCode(err error, state *os.ProcessState) int {
	if state == nil {
		return -1
	}
	status, ok := state.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled():
		return 128 + int(status.Signal())
	case ok:
		return status.ExitStatus()
	case err != nil:
		return -1
	}
	return 0
}

// adoptProcess returns the process pid if it runs and is the one of this identity, else nil.
func adoptProcess(pid int, id string, marks []string) *process {
	p := &process{pid: pid, id: id, marks: marks}
	if pid <= 0 || !p.alive() {
		return nil
	}
	return p
}

// alive tells whether an adopted process still runs.
func (p *process) alive() bool {
	id, alive, err := identity(p.pid)
	return err == nil && alive && id == p.id
}

// wait returns the exit code (-1 if adopted) when the process and what was left of the instance have ended. It
// is not ok if ctx ended before.
func (p *process) wait(ctx context.Context) (code int, ok bool) {
	if p.ended != nil {
		select {
		case <-p.ended:
			return p.code, true
		case <-ctx.Done():
			return 0, false
		}
	}
	tick := time.NewTicker(adoptedPoll)
	defer tick.Stop()
	for p.alive() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, false
		}
	}
	killStrays(0, p.marks) // its PID may be another's by now
	return -1, true
}

// terminate asks the main process to end, and only that, as an engine of containers does: the shell or the server in
// it knows best how to end what it has started.
func (p *process) terminate() error { return p.signal(p.pid, syscall.SIGTERM) }

// kill ends the process group at once. Whoever waits for the process ends what else belongs to the instance.
func (p *process) kill() error { return p.signal(-p.pid, syscall.SIGKILL) }

// signal sends sig to target, the process or its group, if the process has not ended yet.
func (p *process) signal(target int, sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped || p.ended == nil && !p.alive() {
		return nil
	}
	if err := syscall.Kill(target, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send %s to process %d: %w", sig, p.pid, err)
	}
	return nil
}

// killStrays kills what belongs to an instance whose main process has ended, again until there is nothing,
// as a process may be forking while it is looked for. Session 0 is none.
func killStrays(session int, marks []string) {
	for range strayRounds {
		pids := strays(session, marks)
		if len(pids) == 0 {
			return
		}
		for _, pid := range pids {
			// The error says that it is gone, or not ours to kill: looking again tells which.
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(strayPoll)
	}
}
