package gitpack

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

const master = "refs/heads/master"

func TestHostilePacks(t *testing.T) {
	blob := object{kind: 3, data: "hello\n"}
	good := tree("100644", "file", blob.id())
	tip := commit(good.id(), "")
	whole := pack(blob, good, tip)
	damaged := func(at int, with byte) []byte { b := bytes.Clone(whole); b[at] ^= with; return b }
	forged := bytes.Clone(whole)
	binary.BigEndian.PutUint32(forged[8:], 4e9)
	declared := func(size int) []byte {
		lying := blob
		lying.size = size
		return pack(lying, good, tip)
	}
	absent := strings.Repeat("1", 40)
	noBlob := tree("100644", "file", absent)
	noBlobTip := commit(noBlob.id(), "")
	noTree := commit(absent, "")
	noParent := commit(good.id(), "parent "+absent+"\n")
	w := newWorld(t)
	for _, tt := range []struct {
		name, ref, new string
		pack           []byte
		reason         string // in git's report, or behind ERR
		says           string // to the pusher
	}{
		{"truncated", master, tip.id(), whole[:len(whole)-30], "unpacker error", "early EOF"},
		{"no pack", master, tip.id(), nil, "unpacker error", "early EOF"},
		{"bad zlib", master, tip.id(), damaged(15, 0xff), "unpacker error", "inflate"},
		{"bad checksum", master, tip.id(), damaged(len(whole)-1, 1), "unpacker error", "pack is corrupted (SHA1 mismatch)"},
		{"object longer than declared", master, tip.id(), declared(len(blob.data) - 2), "unpacker error", "inflate"},
		{"object shorter than declared", master, tip.id(), declared(len(blob.data) + 2), "unpacker error", "inflate"},
		{"forged count", master, tip.id(), forged, "unpacker error", "Git cannot use what was sent"},
		{"missing blob", master, noBlobTip.id(), pack(noBlob, noBlobTip), "unpacker error", absent},
		{"missing tree", master, noTree.id(), pack(noTree), "unpacker error", absent},
		{"missing parent", master, noParent.id(), pack(blob, good, noParent), "unpacker error", absent},
		{"missing tip", master, absent, whole, "missing necessary objects", "not a whole history"},
		{"branch is blob", master, blob.id(), whole, "not a commit", "is a blob and no commit"},
		{"branch is tree", master, good.id(), whole, "not a commit", "is a tree and no commit"},
		{"ref outside", "../x", tip.id(), whole, "not a branch", "Cannot push ../x"},
		{"ref config", "config", tip.id(), whole, "not a branch", "Cannot push config"},
		{"ref lock", "refs/heads/x.lock", tip.id(), whole, "not master or main", "Cannot push on non-master"},
		{"ref below heads", "refs/heads/../../config", tip.id(), whole, "not master or main", "Cannot push on non-master"},
		{"ref looks alike", "refs/heads/mаster", tip.id(), whole, "not master or main", "Cannot push on non-master"},
		{"ref with a line end", "refs/heads/master\nx", tip.id(), whole, "ERR malformed ref", ""},
		{"sha256 id", master, tip.id() + strings.Repeat("0", 24), whole, "ERR malformed command", ""},
	} {
		t.Run(tt.name, func(t *testing.T) { w.refuses(t, tt.ref, tt.new, tt.pack, tt.reason, tt.says) })
	}
	// What git's own fsck finds in a tree: entries that would lead out of the directory, or into its .git.
	link := object{kind: 3, data: "/etc/passwd"}
	for _, tt := range []struct{ mode, name, says string }{
		{"100644", ".git", "hasDotgit"},
		{"40000", ".GIT", "hasDotgit"},
		{"100644", ".g\u200cit", "hasDotgit"}, // HFS+ ignores the joiner
		{"100644", "git~1", "hasDotgit"},      // NTFS
		{"100644", ".", "hasDot"},
		{"100644", "..", "hasDotdot"},
		{"100644", "a/b", "fullPathname"},
		{"100644", "/etc/passwd", "fullPathname"},
		{"120000", ".gitmodules", "gitmodulesSymlink"},
	} {
		t.Run("entry "+tt.mode+" "+tt.name, func(t *testing.T) {
			target := link
			if tt.mode == "40000" {
				target = good
			}
			bad := tree(tt.mode, tt.name, target.id())
			c := commit(bad.id(), "")
			w.refuses(t, master, c.id(), pack(blob, good, link, bad, c), "unpacker error", tt.says)
		})
	}
	// After all of that the server goes on.
	var out bytes.Buffer
	if exit := w.repos.ReceivePack(t.Context(), "my-app", input(t, "report-status", master, tip.id(), whole), &out, io.Discard, testHandler("publish")); exit != 0 {
		t.Errorf("a sound push: exit %d\n%q", exit, out.String())
	}
	w.head(master, tip.id())
}

// refuses pushes, and expects the reason in git's report, the words on the push session, and nothing left.
func (w *world) refuses(t *testing.T, ref, new string, pack []byte, reason, says string) {
	t.Helper()
	var out bytes.Buffer
	exit := w.repos.ReceivePack(t.Context(), "my-app", input(t, "report-status side-band-64k", ref, new, pack), &out, io.Discard, mustNotDeploy(t))
	want := "ng " + ref + " " + reason + "\n"
	if strings.HasPrefix(reason, "ERR ") {
		want = reason
	}
	if exit == 0 || !strings.Contains(out.String(), want) || !strings.Contains(out.String(), says) {
		t.Errorf("exit %d, want %q and %q in\n%q", exit, want, says, out.String())
	}
	w.head(master, ZeroID)
	w.clean()
	t.Attr("outcome", oneLine(want+": "+says))
}

func TestOddClients(t *testing.T) {
	tip, whole := simplePush()
	t.Run("never half-closes", func(t *testing.T) {
		w := newWorld(t)
		r, hold := io.Pipe()
		defer hold.Close()
		stdin := io.MultiReader(input(t, "report-status", master, tip.id(), whole), r)
		var out bytes.Buffer
		exit := w.repos.ReceivePack(t.Context(), "my-app", stdin, &out, io.Discard, testHandler("publish"))
		if exit != 0 || !strings.Contains(out.String(), "ok refs/heads/master") {
			t.Errorf("exit %d\n%q", exit, out.String())
		}
		w.head(master, tip.id())
	})
	t.Run("lone flush", func(t *testing.T) {
		w := newWorld(t)
		if exit := w.repos.ReceivePack(t.Context(), "my-app", strings.NewReader("0000"), io.Discard, io.Discard, mustNotDeploy(t)); exit != 0 {
			t.Errorf("exit %d", exit)
		}
		w.clean()
	})
	t.Run("two at once", func(t *testing.T) {
		w := newWorld(t)
		blob := object{kind: 3, data: "hello\n"}
		good := tree("100644", "file", blob.id())
		other := commit(good.id(), "parent "+tip.id()+"\n")
		exit := w.repos.ReceivePack(t.Context(), "my-app", input(t, "report-status", master, tip.id(), whole), io.Discard, io.Discard,
			deployFunc(func(ctx context.Context, p *Push) error {
				var out bytes.Buffer
				inner := w.repos.ReceivePack(ctx, "my-app", input(t, "report-status", master, other.id(), pack(blob, good, tip, other)), &out, io.Discard, testHandler(""))
				if inner != 0 {
					t.Errorf("inner push: exit %d %q", inner, out.String())
				}
				if stale, err := p.Stale(ctx); !stale || err != nil {
					t.Errorf("stale %t, %v", stale, err)
				}
				return p.Publish(ctx)
			}))
		if exit != 1 {
			t.Errorf("stale push: exit %d", exit)
		}
		w.head(master, other.id())
		w.clean()
	})
	t.Run("SHA-256 repository", func(t *testing.T) {
		w := newWorld(t)
		w.work = t.TempDir()
		w.must("", "init", "-q", "-b", "master", "--object-format=sha256", w.work)
		w.commit("one")
		if out, code := w.push("", "master"); code == 0 || !strings.Contains(out, "fatal: ") {
			t.Errorf("exit %d\n%s", code, out)
		}
		w.head(master, ZeroID)
	})
	t.Run("asks for SHA-256", func(t *testing.T) {
		w := newWorld(t)
		var out bytes.Buffer
		exit := w.repos.ReceivePack(t.Context(), "my-app", input(t, "report-status object-format=sha256", master, tip.id(), whole), &out, io.Discard, mustNotDeploy(t))
		if exit != 128 || !strings.Contains(out.String(), "ERR this server has SHA-1 repositories, not sha256") {
			t.Errorf("exit %d\n%q", exit, out.String())
		}
	})
	t.Run("atomic with two refs", func(t *testing.T) {
		w := newWorld(t)
		w.must("", "branch", "other")
		out, code := w.push("", "--atomic", "master", "other")
		if code != 1 || !strings.Contains(out, "master -> master (atomic push") || !strings.Contains(out, "other -> other (not master or main)") {
			t.Errorf("exit %d\n%s", code, out)
		}
		w.head(master, ZeroID)
		w.head("refs/heads/other", ZeroID)
	})
}

// Too many or too long lines end the push before anything is kept of them.
func TestRequestCaps(t *testing.T) {
	w := newWorld(t)
	w.repos.limits.Commands, w.repos.limits.Options, w.repos.limits.Line = 3, 2, 300
	id := strings.Repeat("1", 40)
	command := func(ref, capabilities string) string {
		line := fmt.Sprintf("%s %s %s\x00%s", ZeroID, id, ref, capabilities)
		return fmt.Sprintf("%04x%s", len(line)+4, line)
	}
	option := "0006-o"
	for name, tt := range map[string]struct{ input, want string }{
		"commands":      {command("a", "") + command("b", "") + command("c", "") + command("d", "") + "0000", "more than 3 refs in one push"},
		"shallow lines": {strings.Repeat("0034shallow "+id, 4) + "0000", "more than 3 refs in one push"},
		"long ref":      {command("refs/heads/"+strings.Repeat("x", 300), "") + "0000", "a line is longer than 300 bytes"},
		"options":       {command("a", "push-options") + "0000" + strings.Repeat(option, 3) + "0000", "more than 2 push options"},
		"long option":   {command("a", "push-options") + "0000" + "0190" + strings.Repeat("x", 0x190-4) + "0000", "a line is longer than 300 bytes"},
		"ref twice":     {command("a", "") + command("a", "") + "0000", "a is given twice"},
		"no pkt-line":   {"GET / HTTP/1.1\r\n\r\n", "invalid pkt-len"},
		"cut off":       {command("a", "") + command("b", "")[:50], "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			exit := w.repos.ReceivePack(t.Context(), "my-app", strings.NewReader(tt.input), &out, io.Discard, mustNotDeploy(t))
			if exit != 128 || !strings.Contains(out.String(), tt.want) {
				t.Errorf("exit %d, want %q in\n%q", exit, tt.want, out.String())
			}
			w.clean()
			t.Attr("outcome", "ERR "+tt.want)
		})
	}
}

// A name that is no app's reaches neither the file system nor git.
func TestNamesThatAreNoApps(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"", ".", "..", "../my-app", "my-app/../my-app", "/etc", "my-app.git", "my-app\x00", "my-app\n", "-my-app", "--help", "My-App", "my_app", "mу-app", "$(id)", "a;b", "my app", "*"} {
		var out bytes.Buffer
		if exit := w.repos.ReceivePack(t.Context(), name, strings.NewReader(""), &out, io.Discard, mustNotDeploy(t)); exit != 128 || !strings.Contains(out.String(), "ERR no such app") {
			t.Errorf("push to %q: exit %d, %q", name, exit, out.String())
		}
		if exit := w.repos.UploadPack(t.Context(), name, strings.NewReader(""), &out, io.Discard); exit != 128 {
			t.Errorf("clone of %q: exit %d", name, exit)
		}
		for what, err := range map[string]error{
			"create": w.repos.Create(t.Context(), name), "remove": w.repos.Remove(t.Context(), name),
			"rename": w.repos.Rename(t.Context(), name, "other1", done), "rename to": w.repos.Rename(t.Context(), "my-app", name, done),
		} {
			if !errors.Is(err, ErrName) {
				t.Errorf("%s %q: %v", what, name, err)
			}
		}
	}
	w.head(master, ZeroID)
}
