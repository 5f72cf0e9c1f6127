package gitpack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"

	"github.com/docker/go-units"
)

// refusal is an error with a reason for the client, and what to tell the pusher: what happened, then what to do.
type refusal struct {
	reason string
	err    error
	lines  []string
}

func (r refusal) Error() string  { return fmt.Sprintf("%s: %v", r.reason, r.err) }
func (r refusal) Unwrap() error  { return r.err }
func (r refusal) Reason() string { return r.reason }

// reason is what git shows in brackets.
func reason(err error) string {
	var known interface{ Reason() string }
	if errors.As(err, &known) {
		if text := oneLine(known.Reason()); text != "" {
			return text
		}
	}
	return "internal error"
}

// explain tells the pusher of a refusal. Other errors are either told already or not for the pusher.
func (s *session) explain(err error) {
	var refused refusal
	if errors.As(err, &refused) {
		for _, line := range refused.lines {
			fmt.Fprintf(s.out, " !     %s\n", oneLine(line))
		}
	}
}

const unpacker = "unpacker error" // git's own reason

// refusePack says why index-pack did not take a pack: err is how it ended, said what it wrote to standard error.
func refusePack(ctx context.Context, limits Limits, err error, said string) error {
	if refused, ok := refuseCost(ctx, limits, err); ok {
		return refused
	}
	said = cmp.Or(fault(said), "it ended before its time")
	lines := []string{"Git cannot use what was sent: " + said, "Run 'git fsck' in your repository, repair what it names, and push again."}
	if strings.Contains(said, "exceeds maximum allowed size") {
		lines = []string{
			fmt.Sprintf("This push is too large: one push may have %s, a repository %s", units.BytesSize(float64(limits.InputSize)), units.BytesSize(float64(limits.RepositorySize))),
			"Take built and downloaded files out of the history, and push again."}
	}
	return refusal{unpacker, err, lines}
}

// refuseMissing says why the tip's history is not whole.
func refuseMissing(ctx context.Context, limits Limits, err error) error {
	if refused, ok := refuseCost(ctx, limits, err); ok {
		return refused
	}
	return refusal{"missing necessary objects", err, []string{
		"What was sent is not a whole history, parts of it are missing", "Run 'git fsck' in your repository, repair what it names, and push again."}}
}

// refuseCost is the refusal of a push that reached a limit of time, and of one whose client is gone.
func refuseCost(ctx context.Context, limits Limits, err error) (refusal, bool) {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, errSlow):
		return refusal{"push took too long", errors.Join(cause, err), []string{
			fmt.Sprintf("This push took longer than %s", limits.Time), "Push again, over a faster connection if there is one."}}, true
	case cause != nil:
		return refusal{"aborted", errors.Join(cause, err), nil}, true
	case errors.Is(err, errIdle):
		return refusal{unpacker, err, []string{
			fmt.Sprintf("Nothing came for %s in the middle of this push", limits.Idle), "Check your connection, and push again."}}, true
	case usedUp(err):
		return refusal{unpacker, err, []string{
			fmt.Sprintf("This push needs more than %s of processor time", limits.CPU), "Take built and downloaded files out of the history, and push again."}}, true
	}
	return refusal{}, false
}

// usedUp tells whether git used up its processor time.
func usedUp(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGXCPU
}

// fault is the line of git's that names the fault: an error has the details that the fatal line after it leaves out.
func fault(said string) string {
	var last string
	for line := range strings.Lines(strings.TrimSpace(said)) {
		if text, ok := strings.CutPrefix(line, "error: "); ok || !strings.HasPrefix(line, "fatal: fsck error") {
			last = strings.TrimPrefix(text, "fatal: ")
		}
	}
	return last
}
