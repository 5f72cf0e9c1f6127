package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"boathook/receive/gitpack"
	"boathook/receive/state"
)

// Push is the gitpack.Handler of one push session: it knows who pushes and turns git's words into a Request.
type Push struct {
	Deployer *Deployer
	Pusher   string
	Access   context.Context // ends when the pusher may not deploy any more, and ends a detached push too
}

// Deploy implements gitpack.Handler.
func (p Push) Deploy(ctx context.Context, push *gitpack.Push) error {
	options, unknown := readOptions(push.Options)
	if unknown != "" {
		return refuse(push.Out, "unknown push option",
			fmt.Sprintf("Unknown push option '%s'", unknown), "Known options: git push -o "+strings.Join(optionWords(), ", -o "))
	}
	return p.Deployer.Deploy(ctx, Request{
		App: push.App, Pusher: p.Pusher, Ref: push.Ref, Commit: push.New, GitDir: push.GitDir, Options: options, Access: p.Access, Out: push.Out,
		Ready: func(ctx context.Context) error {
			stale, err := push.Stale(ctx)
			if err == nil && stale {
				err = gitpack.ErrStale
			}
			if errors.Is(err, gitpack.ErrStale) {
				return &Failure{Status: state.Aborted, Text: "Another push has gone live while this one waited", Err: err,
					Advice: "Fetch it, decide, and push again (git push --force puts yours in its place)."}
			}
			return err
		},
		Publish: push.Publish,
		Revert:  push.Revert,
	})
}

// refusal is a push that never became a deployment.
type refusal struct{ reason string }

func (r refusal) Error() string  { return r.reason }
func (r refusal) Reason() string { return r.reason }

func refuse(out io.Writer, reason string, lines ...string) error {
	for _, line := range lines {
		fmt.Fprintln(out, " !     "+printable(line))
	}
	return refusal{reason}
}
