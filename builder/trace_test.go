package builder

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
)

// vertexField and logField encode a StatusResponse with one vertex or one log.
func vertexField(digest, name string, cached bool, failure string) []byte {
	var v []byte
	v = protowire.AppendString(protowire.AppendTag(v, 1, protowire.BytesType), digest)
	v = protowire.AppendString(protowire.AppendTag(v, 3, protowire.BytesType), name)
	v = protowire.AppendVarint(protowire.AppendTag(v, 4, protowire.VarintType), protowire.EncodeBool(cached))
	v = protowire.AppendBytes(protowire.AppendTag(v, 5, protowire.BytesType), []byte{8, 1})
	v = protowire.AppendString(protowire.AppendTag(v, 7, protowire.BytesType), failure)
	v = protowire.AppendFixed64(protowire.AppendTag(v, 99, protowire.Fixed64Type), 1) // unknown to us
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), v)
}

func logField(digest, text string) []byte {
	var l []byte
	l = protowire.AppendString(protowire.AppendTag(l, 1, protowire.BytesType), digest)
	l = protowire.AppendVarint(protowire.AppendTag(l, 3, protowire.VarintType), 1)
	l = protowire.AppendString(protowire.AppendTag(l, 4, protowire.BytesType), text)
	return protowire.AppendBytes(protowire.AppendTag(nil, 3, protowire.BytesType), l)
}

func TestTrace(t *testing.T) {
	var out bytes.Buffer
	progress := newTrace(&out)
	for _, status := range [][]byte{
		vertexField("i", "[internal] load build context", false, ""),
		vertexField("a", "[1/2] FROM base", true, ""),
		vertexField("a", "[1/2] FROM base", true, ""),
		append(vertexField("b", "[2/2] RUN make", false, ""), logField("b", "half a ")...),
		logField("b", "line\nand no end"),
		vertexField("c", "[other 1/1] RUN test", false, ""),
		logField("c", "tested\n"),
		logField("b", "made\n"),
		vertexField("c", "[other 1/1] RUN test", false, "context canceled"),
		vertexField("b", "[2/2] RUN make", false, "exit code: 2"),
	} {
		aux, err := json.Marshal(status)
		if err != nil {
			t.Fatal(err)
		}
		if err := progress.message(aux); err != nil {
			t.Fatal(err)
		}
	}
	progress.end()
	want := "-----> [1/2] FROM base (unchanged)\n-----> [2/2] RUN make\nhalf a line\nand no end\n" +
		"-----> [other 1/1] RUN test\ntested\n-----> [2/2] RUN make\nmade\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if progress.failed != "[2/2] RUN make" {
		t.Errorf("failed step = %q", progress.failed)
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add(vertexField("a", "name", true, ""))
	f.Add(logField("a", "text"))
	f.Add([]byte{0x0a, 0xff})
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = parseStatus(data) // neither panics nor loops
	})
}
