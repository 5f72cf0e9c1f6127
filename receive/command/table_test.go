package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"boathook/receive/apps"
)

// Who follows something when it ends is told why, and who has left is told nothing.
func TestTheEndIsExplained(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		cause error
		said  string
	}{
		{apps.ErrEnded, "your access has ended: ask the owner of the app, or an administrator\n"},
		{errors.New("boathook is stopping: try again when it is back"), "boathook is stopping: try again when it is back\n"},
		{nil, ""},
		{fmt.Errorf("the client is gone: %w", context.Canceled), ""},
	} {
		ctx, end := context.WithCancelCause(t.Context())
		w.runtime.followed = func() { end(test.cause) }
		var stdout, stderr strings.Builder
		status := Commands().Run(ctx, &Call{
			Args: []string{"logs", "my-app", "-f"}, Caller: alice, Service: w.service, Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
		})
		if status != 1 || stdout.String() != "" || stderr.String() != test.said {
			t.Errorf("%v: status %d, stdout %q, stderr %q; want %q", test.cause, status, &stdout, &stderr, test.said)
		}
	}
}
