package gitpack

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// Debian's Python, which has the packages that .ci/run installs.
const python = "/usr/bin/python3"

// daemon serves git:// to w's repositories, one request a connection, as git-daemon(1) does, and returns its address: the
// other clients cannot run a program of ours in place of ssh.
func (w *world) daemon(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				lines := pktline.NewScanner(conn)
				if !lines.Scan() {
					t.Errorf("git://: %v", lines.Err())
					return
				}
				verb, _, _ := strings.Cut(string(lines.Bytes()), " ")
				if verb == "git-upload-pack" {
					w.repos.UploadPack(context.Background(), "my-app", conn, conn, io.Discard)
				} else {
					w.repos.ReceivePack(context.Background(), "my-app", conn, conn, io.Discard, testHandler("publish"))
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return fmt.Sprintf("git://%s/my-app.git", l.Addr())
}

// The other implementations of git push, push again what they need a thin pack or a delta for, are refused, and fetch.
func TestOtherClients(t *testing.T) {
	for name, script := range map[string]string{
		"dulwich": `
import sys
from dulwich import porcelain
url, work, ref = sys.argv[1:]
porcelain.push(work, url, "refs/heads/master:" + ref, outstream=sys.stdout.buffer, errstream=sys.stdout.buffer)
assert b"refs/heads/master" in porcelain.fetch(work, url).refs
`,
		"pygit2": `
import sys, pygit2
url, work, ref = sys.argv[1:]
class Said(pygit2.RemoteCallbacks):
    def sideband_progress(self, text): print(text)
    def push_update_reference(self, name, message):
        if message: sys.exit(name + ": " + message)
remotes = pygit2.Repository(work).remotes
for old in list(remotes): remotes.delete(old.name)
remote = remotes.create("boathook", url)
remote.push(["refs/heads/master:" + ref], callbacks=Said())
assert any(r["name"] == "refs/heads/master" for r in remote.ls_remotes())
`,
	} {
		t.Run(name, func(t *testing.T) {
			if err := exec.Command(python, "-c", "import "+name).Run(); err != nil {
				t.Skipf("Debian's python3-%s is not installed on this machine", name)
			}
			w := newWorld(t)
			url := w.daemon(t)
			run := func(ref string) (string, error) {
				cmd := exec.Command(python, "-c", script, url, w.work, ref)
				cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
				out, err := cmd.CombinedOutput()
				return string(out), err
			}
			for _, text := range []string{"two", "three"} {
				id := w.commit(text)
				if out, err := run(master); err != nil || !strings.Contains(out, "Start my-app") {
					t.Fatalf("%v\n%s", err, out)
				}
				w.head(master, id)
				eventually(t, "the end of the session", func() bool { return w.quarantines("my-app") == 0 && len(children()) == 0 })
				w.clean()
			}
			// Dulwich tells of a refusal, and exits with 0.
			if out, _ := run("refs/heads/other"); !strings.Contains(out, "other") || !strings.Contains(out, "not master or main") {
				t.Errorf("another branch:\n%s", out)
			}
		})
	}
}
