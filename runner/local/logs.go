package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"boathook/runner"
)

// Logs is described by [runner.Engine]. An instance that is kept ends when it is removed: a follower goes on
// over restarts. If ctx ends the error is its error.
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
	if errors.Is(err, fs.ErrNotExist) && !opt.Follow {
		return nil // not started yet
	}
	if errors.Is(err, fs.ErrNotExist) {
		f, err = os.OpenFile(i.out.path, os.O_RDONLY|os.O_CREATE, 0o600)
	}
	if err != nil {
		return fmt.Errorf("logs of %s: %w", id, err)
	}
	defer f.Close()
	pos, err := i.out.tailFrom(f, opt.Tail)
	if err != nil {
		return fmt.Errorf("logs of %s: %w", id, err)
	}
	if opt.Follow {
		err = e.follow(ctx, i, f, pos, w)
	} else {
		_, err = i.out.copyTo(ctx, w, f, pos)
	}
	if err != nil {
		return fmt.Errorf("logs of %s: %w", id, err)
	}
	return nil
}

// follow writes the output from pos on until the instance has ended.
func (e *Engine) follow(ctx context.Context, i *instance, f *os.File, pos int64, w io.Writer) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		last := closed(i.done) // asked before reading, so that the last reading is after the end
		var err error
		if pos, err = i.out.copyTo(ctx, w, f, pos); err != nil {
			return err
		}
		if e.ctx.Err() != nil {
			return errClosed
		}
		if last {
			return nil
		}
		select {
		case <-tick.C:
		case <-i.done:
		case <-e.ctx.Done():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
