package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/docker/docker/api/types/image"
)

// pullQuiet is how long a pull may say nothing before it is given up: a registry behind a firewall that drops
// packets would hold it for minutes.
const pullQuiet = 45 * time.Second

// engineMessage is one JSON object of the streams that image endpoints answer with (Docker Engine API, "Create an
// image" and "Build an image").
type engineMessage struct {
	Stream string          `json:"stream"` // output of a classic build
	Status string          `json:"status"` // progress of a pull
	ID     string          `json:"id"`     // layer, or the kind of Aux
	Aux    json.RawMessage `json:"aux"`
	Error  string          `json:"error"`
}

// readMessages calls handle for every message until the stream ends, and returns the engine's error if it sends one.
func readMessages(r io.Reader, handle func(engineMessage)) error {
	decoder := json.NewDecoder(r)
	for {
		var m engineMessage
		if err := decoder.Decode(&m); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("answer of the engine: %w", err)
		}
		if m.Error != "" {
			return &engineError{text: m.Error}
		}
		handle(m)
	}
}

// engineError is what the engine says in the middle of a stream, where there is no status code any more.
type engineError struct{ text string }

func (e *engineError) Error() string { return e.text }

// pull brings ref from its registry, telling out about whole layers only.
func (s *Stacks) pull(ctx context.Context, ref string, out io.Writer) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	quiet := time.AfterFunc(pullQuiet, func() { stop(fmt.Errorf("the registry of %s does not answer", ref)) })
	defer quiet.Stop()
	stream, err := s.Docker.ImagePull(ctx, ref, image.PullOptions{})
	if err == nil {
		err = readMessages(stream, func(m engineMessage) {
			quiet.Reset(pullQuiet)
			if m.Status == "Pull complete" || m.ID == "" {
				say(out, "       %s %s", m.ID, m.Status)
			}
		})
		err = errors.Join(err, stream.Close())
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
