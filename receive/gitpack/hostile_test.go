package gitpack

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// object is one entry of a generated pack; kinds are 1 commit, 2 tree, 3 blob.
type object struct {
	kind byte
	data string
}

func (o object) id() string {
	name := []string{"", "commit", "tree", "blob"}[o.kind]
	sum := sha1.Sum(fmt.Appendf(nil, "%s %d\x00%s", name, len(o.data), o.data))
	return hex.EncodeToString(sum[:])
}

func tree(mode, name, id string) object {
	raw, _ := hex.DecodeString(id)
	return object{2, mode + " " + name + "\x00" + string(raw)}
}

func commit(tree string, extra string) object {
	return object{1, "tree " + tree + "\n" + extra + "author a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\nx\n"}
}

// pack makes a valid version 2 pack of the objects.
func pack(objects ...object) []byte {
	var b bytes.Buffer
	b.WriteString("PACK\x00\x00\x00\x02")
	binary.Write(&b, binary.BigEndian, uint32(len(objects)))
	for _, o := range objects {
		size := len(o.data)
		c := o.kind<<4 | byte(size&15)
		for size >>= 4; size > 0; size >>= 7 {
			b.WriteByte(c | 0x80)
			c = byte(size & 0x7f)
		}
		b.WriteByte(c)
		z := zlib.NewWriter(&b)
		io.WriteString(z, o.data)
		z.Close()
	}
	sum := sha1.Sum(b.Bytes())
	return append(b.Bytes(), sum[:]...)
}

func input(t *testing.T, capabilities, ref, new string, pack []byte) io.Reader {
	t.Helper()
	var b bytes.Buffer
	lines := pktline.NewEncoder(&b)
	if err := errors.Join(lines.Encodef("%s %s %s\x00 %s", ZeroID, new, ref, capabilities), lines.Flush()); err != nil {
		t.Fatal(err)
	}
	b.Write(pack)
	return &b
}

type deployFunc func(context.Context, *Push) error

func (f deployFunc) Deploy(ctx context.Context, p *Push) error { return f(ctx, p) }

func TestHostilePacks(t *testing.T) {
	blob := object{3, "hello\n"}
	good := tree("100644", "file", blob.id())
	tip := commit(good.id(), "")
	whole := pack(blob, good, tip)
	damaged := func(at int, with byte) []byte { b := bytes.Clone(whole); b[at] ^= with; return b }
	forged := bytes.Clone(whole)
	copy(forged[8:], "\xff\xff\xff\xff")
	entry := func(name string) (string, []byte) {
		bad := tree("100644", name, blob.id())
		c := commit(bad.id(), "")
		return c.id(), pack(blob, bad, c)
	}
	absent := strings.Repeat("1", 40)
	noBlob := tree("100644", "file", absent)
	noBlobTip := commit(noBlob.id(), "")
	noTree := commit(absent, "")
	noParent := commit(good.id(), "parent "+absent+"\n")
	dotGit, dotGitPack := entry(".git")
	dotDot, dotDotPack := entry("..")
	slash, slashPack := entry("a/b")
	const master = "refs/heads/master"
	for name, tt := range map[string]struct {
		ref, new string
		pack     []byte
	}{
		"truncated":       {master, tip.id(), whole[:len(whole)-30]},
		"no pack":         {master, tip.id(), nil},
		"bad zlib":        {master, tip.id(), damaged(15, 0xff)},
		"bad checksum":    {master, tip.id(), damaged(len(whole)-1, 1)},
		"wrong size":      {master, tip.id(), damaged(12, 1)},
		"forged count":    {master, tip.id(), forged},
		"missing blob":    {master, noBlobTip.id(), pack(noBlob, noBlobTip)},
		"missing tree":    {master, noTree.id(), pack(noTree)},
		"missing parent":  {master, noParent.id(), pack(blob, good, noParent)},
		"missing tip":     {master, absent, whole},
		".git":            {master, dotGit, dotGitPack},
		"..":              {master, dotDot, dotDotPack},
		"slash":           {master, slash, slashPack},
		"branch is blob":  {master, blob.id(), whole},
		"ref outside":     {"../x", tip.id(), whole},
		"ref config":      {"config", tip.id(), whole},
		"ref lock":        {"refs/heads/x.lock", tip.id(), whole},
		"sha256 (forged)": {master, tip.id() + strings.Repeat("0", 24), whole},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var out bytes.Buffer
			exit := w.repos.ReceivePack(t.Context(), "my-app", input(t, "report-status side-band-64k", tt.ref, tt.new, tt.pack), &out, io.Discard,
				deployFunc(func(context.Context, *Push) error { t.Error("deployed"); return nil }))
			if exit == 0 || !strings.Contains(out.String(), "ng "+tt.ref) && !strings.Contains(out.String(), "ERR ") {
				t.Errorf("exit %d\n%q", exit, out.String())
			}
			w.head(master, ZeroID)
			w.clean()
		})
	}
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
		if exit := w.repos.ReceivePack(t.Context(), "my-app", strings.NewReader("0000"), io.Discard, io.Discard, testHandler("")); exit != 0 {
			t.Errorf("exit %d", exit)
		}
	})
	t.Run("client vanishes", func(t *testing.T) {
		w := newWorld(t)
		r, stdout := io.Pipe()
		go io.Copy(io.Discard, r) //nolint:errcheck // ends when r is closed
		exit := w.repos.ReceivePack(t.Context(), "my-app", input(t, "report-status side-band-64k", master, tip.id(), whole), stdout, io.Discard,
			deployFunc(func(ctx context.Context, p *Push) error {
				r.Close()
				<-ctx.Done()
				if cause := context.Cause(ctx); !errors.Is(cause, ErrClientGone) {
					t.Errorf("cause %v", cause)
				}
				fmt.Fprintln(p.Out, "nobody hears this")
				return ctx.Err()
			}))
		if exit == 0 {
			t.Error("exit 0")
		}
		w.head(master, ZeroID)
		w.clean()
	})
	t.Run("two at once", func(t *testing.T) {
		w := newWorld(t)
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
}

func FuzzReadRequest(f *testing.F) {
	f.Add([]byte("0000"))
	f.Add([]byte("0035shallow " + strings.Repeat("1", 40) + "\n0000"))
	f.Fuzz(func(t *testing.T, data []byte) {
		q, err := readRequest(bytes.NewReader(data), Limits{}.withDefaults())
		if err != nil {
			return
		}
		for _, u := range q.updates {
			if !validID(u.old) || !validID(u.new) || oneLine(u.ref) != u.ref && len(u.ref) <= 200 {
				t.Errorf("accepted %+v", u)
			}
		}
	})
}
