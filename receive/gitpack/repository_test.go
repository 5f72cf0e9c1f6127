package gitpack

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// land pushes a sound history of one commit that stays.
func (w *world) land(t *testing.T, app string) (tip string) {
	t.Helper()
	c, whole := simplePush()
	if exit := w.repos.ReceivePack(t.Context(), app, input(t, "report-status", master, c.id(), whole), io.Discard, io.Discard, testHandler("publish")); exit != 0 {
		t.Fatalf("exit %d", exit)
	}
	return c.id()
}

func TestSweep(t *testing.T) {
	w := newWorld(t)
	tip := w.land(t, "my-app")
	for _, path := range []string{
		".create-1/HEAD", "my-app.git/objects/" + quarantinePrefix + "1/objects/pack/pack-1.pack", "my-app.git/objects/pack/tmp_pack_1",
		"my-app.git/objects/pack/.tmp-1-pack-1.pack", "my-app.git/packed-refs.lock", "my-app.git/shallow.lock", "my-app.git/HEAD.lock", "my-app.git/refs/heads/master.lock",
	} {
		path = filepath.Join(w.repos.dir, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.repos.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.clean()
	if left, err := os.ReadDir(w.repos.dir); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
	w.head(master, tip)
	w.must("", "-C", w.path, "fsck", "--full")
}

func TestRemove(t *testing.T) {
	w := newWorld(t)
	c, whole := simplePush()
	var out bytes.Buffer
	exit := w.repos.ReceivePack(t.Context(), "my-app", input(t, "report-status", master, c.id(), whole), &out, io.Discard,
		deployFunc(func(ctx context.Context, p *Push) error { return w.repos.Remove(ctx, "my-app") }))
	if exit != 1 || !strings.Contains(out.String(), "ng "+master+" internal error") {
		t.Errorf("a push whose repository is removed: exit %d\n%q", exit, out.String())
	}
	if left, err := os.ReadDir(w.repos.dir); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := w.repos.Remove(t.Context(), "my-app"); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if err := w.repos.Create(t.Context(), "my-app"); err != nil {
		t.Fatal(err)
	}
	w.land(t, "my-app")
}

// A repository at its limit takes no push, until what nothing names any more has made room.
func TestFullRepository(t *testing.T) {
	w := newWorld(t)
	noise := make([]byte, 100<<10)
	rand.Read(noise)
	blob := object{kind: 3, data: string(noise)}
	large := tree("100644", "file", blob.id())
	tip := commit(large.id(), "")
	if exit := w.repos.ReceivePack(t.Context(), "my-app", input(t, "report-status", master, tip.id(), pack(blob, large, tip)), io.Discard, io.Discard, testHandler("publish")); exit != 0 {
		t.Fatalf("exit %d", exit)
	}
	w.repos.limits.RepositorySize = 90 << 10
	out, code := refusedEarly(t, w)
	if code != 128 || !strings.Contains(out, "ERR the repository of my-app is full, it may hold 90KiB: ") || !strings.Contains(out, "operator for more") {
		t.Errorf("exit %d\n%q", code, out)
	}
	w.head(master, tip.id())
	// The branch goes elsewhere; a second pack, and the large one is nobody's.
	w.repos.limits.RepositorySize = 1 << 20
	small, whole := simplePush()
	line := strings.Replace(string(must(io.ReadAll(input(t, "report-status", master, small.id(), whole)))), ZeroID, tip.id(), 1)
	if exit := w.repos.ReceivePack(t.Context(), "my-app", strings.NewReader(line), io.Discard, io.Discard, testHandler("publish")); exit != 0 {
		t.Fatalf("exit %d", exit)
	}
	w.repos.limits.RepositorySize = 90 << 10
	if out, code := refusedEarly(t, w); code != 0 {
		t.Errorf("with room to be made: exit %d\n%q", code, out)
	}
	if n := w.repos.packs("my-app"); n != 1 {
		t.Errorf("%d packs", n)
	}
	w.head(master, small.id())
	w.must("", "-C", w.path, "fsck", "--full")
}

// refusedEarly is a client that has nothing to push, if it is let in.
func refusedEarly(t *testing.T, w *world) (string, int) {
	t.Helper()
	var out bytes.Buffer
	code := w.repos.ReceivePack(t.Context(), "my-app", strings.NewReader("0000"), &out, io.Discard, mustNotDeploy(t))
	return out.String(), code
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// No repack while another push is at work, as its quarantine borrows objects; the last one to leave does it.
func TestRepackWaitsForPushes(t *testing.T) {
	w := newWorld(t)
	tip := w.land(t, "my-app")
	first, _ := simplePush()
	treeID := strings.Fields(first.data)[1]
	next := commit(treeID, "parent "+tip+"\n")
	w.repos.limits.Packs = 2
	line := strings.Replace(string(must(io.ReadAll(input(t, "report-status", master, next.id(), pack(next))))), ZeroID, tip, 1)
	exit := w.repos.ReceivePack(t.Context(), "my-app", strings.NewReader(line), io.Discard, io.Discard,
		deployFunc(func(ctx context.Context, p *Push) error {
			if err := p.Publish(ctx); err != nil {
				return err
			}
			w.repos.limits.RepositorySize = 1 // full: the next client asks for room
			if out, code := refusedEarly(t, w); code != 128 {
				t.Errorf("exit %d %q", code, out)
			}
			if n := w.repos.packs("my-app"); n != 2 {
				t.Errorf("%d packs: repacked under a push", n)
			}
			return nil
		}))
	if n := w.repos.packs("my-app"); exit != 0 || n != 1 {
		t.Errorf("exit %d, %d packs; want them made one", exit, n)
	}
	w.head(master, next.id())
	w.must("", "-C", w.path, "fsck", "--full")
	w.clean()
}
