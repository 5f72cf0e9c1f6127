package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"boathook/runner"
)

// Logs is described by [runner.Engine]. If ctx ends the error is its error.
func (e *Engine) Logs(ctx context.Context, id string, opt runner.LogOptions, w io.Writer) error {
	end, err := e.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	i, err := e.instance(id)
	if err != nil {
		return err
	}
	f, err := os.Open(i.out.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // not started yet
	}
	if err != nil {
		return fmt.Errorf("logs of %s: %w", id, err)
	}
	defer f.Close()
	pos, err := i.out.tailFrom(f, opt.Tail)
	if err != nil {
		return fmt.Errorf("logs of %s: %w", id, err)
	}
	if _, err := i.out.copyTo(ctx, w, f, pos); err != nil {
		return fmt.Errorf("logs of %s: %w", id, err)
	}
	return nil
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
