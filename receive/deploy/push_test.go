package deploy

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"

	"boathook/receive/gitpack"
	"boathook/receive/state"
)

// watched is a handler that tells when the client has gone.
type watched struct {
	gitpack.Handler
	gone chan struct{}
}

func (w watched) Deploy(ctx context.Context, push *gitpack.Push) error {
	defer context.AfterFunc(ctx, func() { close(w.gone) })()
	return w.Handler.Deploy(ctx, push)
}

// TestClientGoesAway kills git push while the hook runs: the deployment ends with it, or with -o detach goes on until the branch has moved.
func TestClientGoesAway(t *testing.T) {
	for _, test := range []struct {
		options []string
		status  state.Status
		moved   bool
	}{
		{nil, state.Aborted, false},
		{[]string{"-o", "detach"}, state.Success, true},
	} {
		t.Run(string(test.status), func(t *testing.T) {
			s := newStage(t, Limits{})
			defer s.close()
			repos, err := gitpack.Open(gitpack.Config{Dir: filepath.Join(t.TempDir(), "repositories"), Limits: gitpack.Limits{Keepalive: 10 * time.Millisecond}})
			check(t, err)
			check(t, repos.Create(t.Context(), "my-app"))
			s.builder.types = map[string]string{"web": "listen", "postdeploy": "migrate"}
			handler := watched{Push{Deployer: s.d, Pusher: "alice"}, make(chan struct{})}
			url, ended := gitDaemon(t, repos, handler)

			work := t.TempDir()
			git(t, t.Context(), work, "init", "-q", "-b", "master")
			git(t, t.Context(), work, "commit", "-q", "--allow-empty", "-m", "first")
			ctx, kill := context.WithCancel(t.Context())
			defer kill()
			s.on("postdeploy", func() {
				kill()
				<-handler.gone
			})
			if out, err := gitCommand(ctx, work, append([]string{"push", url, "master"}, test.options...)...).CombinedOutput(); err == nil {
				t.Errorf("git was not killed:\n%s", out)
			}
			<-ended
			record, err := s.store.Deployment(t.Context(), 1)
			check(t, err)
			head, err := repos.Head(t.Context(), "my-app", "refs/heads/master")
			check(t, err)
			if record.Status != test.status || (head == record.Commit) != test.moved {
				t.Errorf("the deployment of %s reads %s, the branch is at %s", record.Commit, record.Status, head)
			}
		})
	}
}

// gitDaemon serves one push by git's own protocol (gitprotocol-pack(5), "Git Transport") and closes ended when it is over.
func gitDaemon(t *testing.T, repos *gitpack.Repos, h gitpack.Handler) (url string, ended chan struct{}) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := listener.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if !pktline.NewScanner(conn).Scan() {
			t.Error("no request")
		}
		repos.ReceivePack(t.Context(), "my-app", conn, conn, io.Discard, h)
	}()
	t.Cleanup(func() { listener.Close() })
	return "git://" + listener.Addr().String() + "/my-app.git", ended
}

func git(t *testing.T, ctx context.Context, dir string, args ...string) {
	t.Helper()
	if out, err := gitCommand(ctx, dir, args...).CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func gitCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=Alice", "GIT_AUTHOR_EMAIL=alice@example.com",
		"GIT_COMMITTER_NAME=Alice", "GIT_COMMITTER_EMAIL=alice@example.com"}
	return cmd
}
