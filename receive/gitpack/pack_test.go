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
	"testing"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// object is one entry of a generated pack; kinds are 1 commit, 2 tree, 3 blob, 7 a delta on the object named base.
type object struct {
	kind byte
	data string
	size int    // declared in place of len(data), if not 0
	base string // raw name
}

func (o object) id() string {
	name := []string{"", "commit", "tree", "blob"}[o.kind]
	sum := sha1.Sum(fmt.Appendf(nil, "%s %d\x00%s", name, len(o.data), o.data))
	return hex.EncodeToString(sum[:])
}

func (o object) raw() string {
	raw, _ := hex.DecodeString(o.id())
	return string(raw)
}

func tree(mode, name, id string) object {
	raw, _ := hex.DecodeString(id)
	return object{kind: 2, data: mode + " " + name + "\x00" + string(raw)}
}

func commit(tree string, extra string) object {
	return object{kind: 1, data: "tree " + tree + "\n" + extra + "author a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\nx\n"}
}

// pack makes a version 2 pack of the objects, sound but for what they declare.
func pack(objects ...object) []byte {
	var b bytes.Buffer
	packHeader(&b, len(objects))
	for _, o := range objects {
		size := len(o.data)
		if o.size != 0 {
			size = o.size
		}
		entryHeader(&b, o.kind, size)
		b.WriteString(o.base)
		z := zlib.NewWriter(&b)
		io.WriteString(z, o.data)
		z.Close()
	}
	return seal(&b)
}

func packHeader(b *bytes.Buffer, objects int) {
	b.WriteString("PACK\x00\x00\x00\x02")
	b.Write(binary.BigEndian.AppendUint32(nil, uint32(objects)))
}

// entryHeader is the type and the length of gitformat-pack(5).
func entryHeader(b *bytes.Buffer, kind byte, size int) {
	c := kind<<4 | byte(size&15)
	for size >>= 4; size > 0; size >>= 7 {
		b.WriteByte(c | 0x80)
		c = byte(size & 0x7f)
	}
	b.WriteByte(c)
}

func seal(b *bytes.Buffer) []byte {
	sum := sha1.Sum(b.Bytes())
	return append(b.Bytes(), sum[:]...)
}

// zeroPack is a pack of one blob of so many MiB of zeros, made without compressing them all: a block of deflate that
// does not look back can be repeated, and of zeros Adler-32 is their number, modulo 65521, in the upper half.
func zeroPack(mebibytes int) []byte {
	var b bytes.Buffer
	packHeader(&b, 1)
	entryHeader(&b, 3, mebibytes<<20)
	var once bytes.Buffer
	z := zlib.NewWriter(&once)
	z.Write(nil)
	z.Flush()
	head := once.Len()
	z.Write(make([]byte, 1<<20))
	z.Flush()
	first := once.Len()
	b.Write(once.Bytes()[:head])
	// Only the first MiB stands after nothing; it looks back into itself alone, so it may follow itself.
	b.Write(bytes.Repeat(once.Bytes()[head:first], mebibytes))
	b.WriteString("\x01\x00\x00\xff\xff") // the last block, stored, empty
	b.Write(binary.BigEndian.AppendUint32(nil, uint32((mebibytes<<20)%65521)<<16|1))
	return seal(&b)
}

// bombDelta is a delta that makes a base of 1 MiB so many MiB.
func bombDelta(base object, mebibytes int) object {
	d := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(len(base.data))), uint64(mebibytes)<<20)
	// Copy from offset 0 a size of 3 bytes: 0x80 with the bits of the size's bytes that follow, here its third.
	d = append(d, bytes.Repeat([]byte{0x80 | 0x40, 0x10}, mebibytes)...)
	return object{kind: 7, data: string(d), base: base.raw()}
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

// simplePush is a sound history of one commit.
func simplePush() (tip object, whole []byte) {
	blob := object{kind: 3, data: "hello\n"}
	good := tree("100644", "file", blob.id())
	tip = commit(good.id(), "")
	return tip, pack(blob, good, tip)
}

type deployFunc func(context.Context, *Push) error

func (f deployFunc) Deploy(ctx context.Context, p *Push) error { return f(ctx, p) }

// mustNotDeploy fails the test if the push comes as far as that.
func mustNotDeploy(t *testing.T) deployFunc {
	return func(context.Context, *Push) error { t.Error("deployed"); return nil }
}
