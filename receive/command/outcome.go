package command

import (
	"cmp"
	"io"

	"boathook/receive/state"
)

// done answers a command that has changed something: with --json outcome, else a sentence.
func (c *Call) done(outcome any, format string, args ...any) error {
	if c.json {
		return c.printJSON(outcome)
	}
	return c.printf(format, args...)
}

// transcript is where goes what a person watches: with --json standard output is one document, which comes last.
func (c *Call) transcript() io.Writer {
	if c.json {
		return c.Stderr
	}
	return c.Stdout
}

// ended answers a command that has printed the transcript of a deployment: with --json what the deployment command prints of it, whether it was a
// success or not.
func (c *Call) ended(d state.Deployment, err error) error {
	if !c.json || d.ID == 0 {
		return err
	}
	return cmp.Or(err, c.printJSON(detailOf(d)))
}

// removal is the outcome of a command that has taken something away.
type removal struct {
	Name    string `json:"name"`
	Removed bool   `json:"removed"`
}

// typed is a command as the caller types it.
func (c *Call) typed(line string) string {
	if c.Caller.Operator {
		return "boathook " + line
	}
	return c.ssh() + " " + line
}
