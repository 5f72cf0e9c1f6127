package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"boathook/receive/apps"
	"boathook/receive/state"
	"boathook/runner"
)

// Failure is how a deployment ended when it did not end in success.
type Failure struct {
	Status state.Status
	Word   string // what git is told in place of the status, may be empty
	Text   string // one sentence for the pusher, without a period; it ends with outputFollows where Output belongs to it
	Output string // last output of the container that crashed, may be empty
	Advice string // what to do next, may be empty
	Err    error  // the cause, for the log
}

// outputFollows ends a Text that Output follows.
const outputFollows = " with the following output:"

func (f *Failure) Error() string {
	switch {
	case f.Text != "" && f.Err != nil:
		return fmt.Sprintf("%s: %s: %v", f.Status, f.sentence(), f.Err)
	case f.Err != nil:
		return fmt.Sprintf("%s: %v", f.Status, f.Err)
	}
	return fmt.Sprintf("%s: %s", f.Status, f.sentence())
}

// sentence is Text where no output follows.
func (f *Failure) sentence() string { return strings.TrimSuffix(f.Text, outputFollows) }

func (f *Failure) Unwrap() error { return f.Err }

// Reason is what git prints in the parentheses of "[remote rejected]".
func (f *Failure) Reason() string { return cmp.Or(f.Word, string(f.Status)) }

// errDryRun ends a dry run that went well. It is an error because git can be told nothing else of a ref that stays where it is:
// after a yes it would move its own idea of the remote branch, refs/remotes/scalingo/master. The word tells it from a failure.
var errDryRun = &Failure{Status: state.Aborted, Word: "dry-run", Text: "Dry run: this version could go live, and is thrown away"}

// summary is what a person who did not push is told, in several lines.
func (f *Failure) summary() string {
	lines := []string{f.Text}
	for _, more := range []string{strings.TrimRight(f.Output, "\n"), f.Advice} {
		if more != "" {
			lines = append(lines, more)
		}
	}
	return strings.Join(lines, "\n")
}

// cleanupTime bounds the removal of what a failed deployment made.
const cleanupTime = 2 * time.Minute

// fail ends the deployment: removes what it made, tells the pusher, records the status. It returns the *Failure.
func (r *deployment) fail(ctx context.Context, err error) error {
	failure := r.classify(ctx, err)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	r.removeTraces(ctx)
	r.tell(failure)
	if err := r.Store.SetStatus(ctx, r.record.ID, failure.Status, failure.reason()); err != nil {
		r.Log.Error("status not recorded", "deployment", r.id, "err", err)
	}
	return failure
}

// classify turns any error of the story into a Failure. What the app caused is one already; the rest is an abort.
func (r *deployment) classify(ctx context.Context, err error) *Failure {
	var failure *Failure
	if errors.As(err, &failure) {
		return failure
	}
	switch cause := context.Cause(ctx); {
	case errors.As(cause, &failure):
		return failure
	case errors.Is(cause, apps.ErrEnded):
		return &Failure{Status: state.Aborted, Text: "The pusher's access has ended", Err: err}
	case cause != nil:
		return &Failure{Status: state.Aborted, Text: "The push was interrupted", Err: err}
	}
	if isUnavailable(err) {
		return &Failure{Status: state.Aborted, Text: "The container engine does not answer",
			Advice: "Push again when it runs; the operator finds the cause in boathook's log.", Err: err}
	}
	var reasoned interface{ Reason() string }
	if errors.As(err, &reasoned) {
		return &Failure{Status: state.Aborted, Text: strings.TrimSuffix(err.Error(), "."), Err: err}
	}
	return &Failure{Status: state.Aborted, Text: "Internal error in deployment " + r.id,
		Advice: "Push again; if it stays, the operator finds the cause in boathook's log.", Err: err}
}

// reason is the line kept with the deployment.
func (f *Failure) reason() string {
	if f.Text == "" && f.Err != nil {
		return f.Err.Error()
	}
	return f.sentence()
}

// tell prints the failure as the platform does.
func (r *deployment) tell(f *Failure) {
	if f == errDryRun {
		r.console.Platform(f.Text)
		return
	}
	r.console.Error("Error deploying the application")
	r.console.Error("→ " + f.Text)
	if f.Output != "" {
		tools := r.console.Tools("")
		fmt.Fprintln(tools, strings.TrimRight(f.Output, "\n"))
		tools.Flush()
	}
	if f.Advice != "" {
		r.console.Error(f.Advice)
	}
	if r.app.Live != 0 {
		r.console.Error("The previous version keeps running.")
	}
}

// removeTraces removes containers and image of this deployment. Each is tried even if another fails, and what stays is
// found by Recover at the next start.
func (r *deployment) removeTraces(ctx context.Context) {
	if err := r.Engine.Remove(ctx, runner.Selector{App: r.app.Name, Release: r.id}, 0); err != nil {
		r.Log.Error("containers of a failed deployment not removed", "deployment", r.id, "err", err)
	}
	if r.image.Ref != "" {
		r.discard(ctx, r.release())
	}
}
