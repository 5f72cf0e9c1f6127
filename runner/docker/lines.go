package docker

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
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
	from, err := readMark(after)
	if err != nil {
		return fmt.Errorf("lines of %s: %w", id, err)
	}
	options := container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: true, Timestamps: true}
	if after != "" {
		options.Since = from.since().Format(time.RFC3339Nano)
	}
	stream, err := e.client.ContainerLogs(ctx, instance.ID, options)
	if errdefs.IsConflict(err) { // it is being removed, and what it has said with it
		return fmt.Errorf("lines of %s: %w: %w", id, runner.ErrNotFound, err)
	}
	if err != nil {
		return wrap(ctx, "lines of "+id, err)
	}
	defer stream.Close() // only read
	read := &lineReader{each: each, had: from, now: from}
	_, err = stdcopy.StdCopy(lineWriter{read, 0}, lineWriter{read, 1}, stream)
	return wrap(ctx, "lines of "+id, err)
}

// place is the last line of one of a container's two outputs.
type place struct {
	at    int64 // nanoseconds since 1970, 0 for none
	count int   // of the lines of that time, which it is the last of
}

// mark is the places in stdout and stderr. The times of each only grow, but not those of both together.
type mark [2]place

// overtaking bounds how much earlier than a line of one output a later one of the other output may be.
const overtaking = 10 * time.Second

func readMark(text string) (m mark, err error) {
	if text == "" {
		return m, nil
	}
	if _, err := fmt.Sscanf(text, "%d.%d-%d.%d", &m[0].at, &m[0].count, &m[1].at, &m[1].count); err != nil {
		return m, fmt.Errorf("mark %q: %w", text, err)
	}
	return m, nil
}

func (m mark) String() string {
	return fmt.Sprintf("%d.%d-%d.%d", m[0].at, m[0].count, m[1].at, m[1].count)
}

// since is the time from which on the engine is asked, and before which the caller had all.
func (m mark) since() time.Time {
	earlier, later := min(m[0].at, m[1].at), max(m[0].at, m[1].at)
	return time.Unix(0, max(earlier, later-int64(overtaking))).UTC()
}

// lineReader leaves out what the caller had.
type lineReader struct {
	each func(runner.Line) error
	had  mark
	now  mark     // after the last line told
	read [2]place // of what came in this call
}

// lineWriter is what stdcopy writes one of the outputs to, one message of the engine a call: "2026-01-02T03:04:05.000000006Z text\n".
// The engine breaks lines of more than 16 KiB into messages of one time.
type lineWriter struct {
	*lineReader
	output int
}

func (w lineWriter) Write(message []byte) (int, error) {
	stamp, text, _ := bytes.Cut(message, []byte(" "))
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil {
		return 0, fmt.Errorf("time of a line: %w", err)
	}
	read, had := &w.read[w.output], w.had[w.output]
	if at.UnixNano() != read.at {
		*read = place{at: at.UnixNano()}
	}
	read.count++
	if read.at < had.at || read.at == had.at && read.count <= had.count {
		return len(message), nil
	}
	w.now[w.output] = *read
	if err := w.each(runner.Line{At: at, Text: bytes.TrimSuffix(text, []byte("\n")), Mark: w.now.String()}); err != nil {
		return 0, err
	}
	return len(message), nil
}
