package local

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"boathook/runner"
)

// Signal is described by [runner.Engine].
func (e *Engine) Signal(ctx context.Context, id, signal string) error {
	end, err := e.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	p, err := e.runningProcess(id)
	if err != nil {
		return err
	}
	number := unix.SignalNum("SIG" + signal)
	if number == 0 {
		return fmt.Errorf("signal %q: this system has none of this name", signal)
	}
	return p.signal(p.pid, number)
}

// runningProcess is the main process of a running instance.
func (e *Engine) runningProcess(id string) (*process, error) {
	i, err := e.instance(id)
	if err != nil {
		return nil, err
	}
	p := e.running(i)
	if p == nil {
		return nil, fmt.Errorf("%s does not run: %w", id, runner.ErrNotFound)
	}
	return p, nil
}
