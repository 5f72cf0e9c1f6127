package gitpack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// child is one run of git.
type child struct {
	dir    string // GIT_DIR; empty for none
	args   []string
	env    []string // added to the fixed environment
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

// command prepares a git process with an environment of its own, leading a process group that is killed as one when
// ctx ends. Large blobs are streamed, and as every thread may hold an object and what it is made of, there are only two.
func (r *Repos) command(ctx context.Context, c child) *exec.Cmd {
	args := append([]string{"-c", "core.bigFileThreshold=" + r.limits.BigFile, "-c", "pack.threads=2"}, c.args...)
	cmd := exec.CommandContext(ctx, r.git, args...)
	cmd.Dir = r.dir
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_TERMINAL_PROMPT=0", "GIT_ALLOC_LIMIT=" + r.limits.Alloc, "GIT_NO_REPLACE_OBJECTS=1",
	}, c.env...)
	if c.dir != "" {
		cmd.Env = append(cmd.Env, "GIT_DIR="+c.dir)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.stdin, c.stdout, c.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// start starts cmd under the limits of processor time and memory, which its own children inherit.
func (r *Repos) start(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := limitProcess(cmd.Process.Pid, r.limits); err != nil && !errors.Is(err, syscall.ESRCH) {
		r.log.Warn("limit git", "err", err)
	}
	return nil
}

// output runs git and returns what it printed. The error carries the end of its standard error.
func (r *Repos) output(ctx context.Context, c child) (string, error) {
	var stdout bytes.Buffer
	stderr := &tail{size: 1024}
	c.stdout, c.stderr = &stdout, stderr
	cmd := r.command(ctx, c)
	err := r.start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	return stdout.String(), stderr.explain(err)
}

// tail keeps the last bytes written to it.
type tail struct {
	size int
	kept []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p[max(0, len(p)-t.size):]...)
	t.kept = t.kept[max(0, len(t.kept)-t.size):]
	return len(p), nil
}

// explain adds what git said to how it ended.
func (t *tail) explain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("git: %w: %s", err, strings.TrimSpace(string(t.kept)))
}
