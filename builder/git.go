package builder

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// gitRunner runs git as a child process with a fixed environment: nothing of the host's or the user's
// configuration reaches it, and it never asks for a password.
type gitRunner struct {
	dir     string   // $GIT_DIR, absolute
	objects string   // $GIT_OBJECT_DIRECTORY, absolute; empty means dir/objects
	extra   []string // further NAME=value pairs
}

// command prepares git with args. When ctx ends the whole process group is killed.
func (g gitRunner) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = "/"
	cmd.Env = append([]string{
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"HOME=/nonexistent",
		"LC_ALL=C",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_TERMINAL_PROMPT=0",
		"GIT_ALLOC_LIMIT=256m",
		"GIT_DIR=" + g.dir,
	}, g.extra...)
	if g.objects != "" {
		cmd.Env = append(cmd.Env, "GIT_OBJECT_DIRECTORY="+g.objects)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// output returns git's standard output; the error ends in the last line that git said.
func (g gitRunner) output(ctx context.Context, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := g.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, gitError(ctx, args[0], err, stderr.Bytes())
	}
	return stdout.Bytes(), nil
}

// gitError prefers the reason why ctx ended, then git's own last line, to an exit status.
func gitError(ctx context.Context, verb string, err error, stderr []byte) error {
	if ctx.Err() != nil {
		return fmt.Errorf("git %s: %w", verb, context.Cause(ctx))
	}
	if said := strings.TrimSpace(string(stderr)); said != "" {
		return fmt.Errorf("git %s: %s: %w", verb, said[strings.LastIndexByte(said, '\n')+1:], err)
	}
	return fmt.Errorf("git %s: %w", verb, err)
}
