package docker

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"boathook/runner"
)

// Lines reads the engine's log with the times at which the engine took each line. A container that ends ends it, also if the engine is
// about to restart it.
func (e *Engine) Lines(ctx context.Context, id, after string, each func(runner.Line) error) error {
	instance, err := e.instance(ctx, id)
	if err != nil {
		return err
	}
	lines := &lineReader{each: each}
	if err := lines.resume(after); err != nil {
		return fmt.Errorf("lines of %s: %w", id, err)
	}
	options := container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: true, Timestamps: true}
	if after != "" {
		options.Since = lines.since.Format(time.RFC3339Nano)
	}
	stream, err := e.client.ContainerLogs(ctx, instance.ID, options)
	if err != nil {
		return wrap(ctx, "lines of "+id, err)
	}
	defer stream.Close() // only read
	_, err = stdcopy.StdCopy(lines, lines, stream)
	return wrap(ctx, "lines of "+id, err)
}

// lineReader is what stdcopy writes to, one message of the engine a call: "2026-01-02T03:04:05.000000006Z text\n". The engine breaks
// lines of more than 16 KiB into messages of one time.
//
// The mark of a line is its time in nanoseconds and its number among the lines of that time, "1767323045000000006.1": the engine is
// asked for what came at that time or later, and tells the line itself once more.
type lineReader struct {
	each  func(runner.Line) error
	since time.Time // zero: from the beginning
	had   int       // lines of the time since that the caller had

	at    time.Time // of the last line
	count int       // of its time
}

func (l *lineReader) resume(mark string) error {
	if mark == "" {
		return nil
	}
	var nanoseconds int64
	if _, err := fmt.Sscanf(mark, "%d.%d", &nanoseconds, &l.had); err != nil {
		return fmt.Errorf("mark %q: %w", mark, err)
	}
	l.since = time.Unix(0, nanoseconds).UTC()
	return nil
}

func (l *lineReader) Write(message []byte) (int, error) {
	stamp, text, _ := bytes.Cut(message, []byte(" "))
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil {
		return 0, fmt.Errorf("time of a line: %w", err)
	}
	if !at.Equal(l.at) {
		l.at, l.count = at, 0
	}
	l.count++
	if at.Before(l.since) || at.Equal(l.since) && l.count <= l.had {
		return len(message), nil
	}
	line := runner.Line{At: at, Text: bytes.TrimSuffix(text, []byte("\n")), Mark: fmt.Sprintf("%d.%d", at.UnixNano(), l.count)}
	if err := l.each(line); err != nil {
		return 0, err
	}
	return len(message), nil
}
