package builder

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// trace prints BuildKit's progress as plain lines: a step's name once it starts, its output as it comes. Steps run
// side by side; when output goes over to another step, the step's name is printed again.
type trace struct {
	out    io.Writer
	steps  map[string]*traceStep // by digest
	last   *traceStep            // whose name or output was printed last
	column bool                  // the last output did not end its line
	failed string                // name of the step that ended with an error
}

// traceStep is what was seen of a vertex.
type traceStep struct {
	name            string
	told, cacheTold bool
}

func newTrace(out io.Writer) *trace { return &trace{out: out, steps: map[string]*traceStep{}} }

// message prints one "moby.buildkit.trace" message, whose aux is a StatusResponse in base64.
func (t *trace) message(aux json.RawMessage) error {
	var data []byte
	if err := json.Unmarshal(aux, &data); err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	status, err := parseStatus(data)
	if err != nil {
		return err
	}
	for _, v := range status.vertexes {
		t.vertex(v)
	}
	for _, l := range status.logs {
		t.log(l)
	}
	return nil
}

func (t *trace) vertex(v traceVertex) {
	step := t.steps[v.digest]
	if step == nil {
		step = &traceStep{}
		t.steps[v.digest] = step
	}
	if v.name != "" {
		step.name = v.name
	}
	if v.error != "" && !strings.Contains(v.error, "context canceled") {
		t.failed = step.name
	}
	switch {
	case internalStep(step.name):
	case v.cached && !step.cacheTold:
		step.told, step.cacheTold = true, true
		t.header(step, " (unchanged)")
	case v.started && !step.told:
		step.told = true
		t.header(step, "")
	}
}

func (t *trace) log(l traceLog) {
	step := t.steps[l.vertex]
	if step != nil && step != t.last {
		t.header(step, "")
	}
	_, _ = t.out.Write(l.text)
	t.column = len(l.text) > 0 && l.text[len(l.text)-1] != '\n'
}

func (t *trace) header(step *traceStep, note string) {
	t.end()
	say(t.out, "-----> %s%s", step.name, note)
	t.last = step
}

// end ends a line that is not ended yet.
func (t *trace) end() {
	if t.column {
		say(t.out, "")
	}
	t.column = false
}

// internalStep tells what is BuildKit's own housekeeping; "copy /context /" unpacks the body of the request.
func internalStep(name string) bool {
	return name == "" || name == "copy /context /" || strings.HasPrefix(name, "[internal]") || strings.HasPrefix(name, "exporting ") ||
		strings.HasPrefix(name, "http://buildkit-session/") || strings.HasPrefix(name, "resolve image config")
}

// traceStatus, traceVertex and traceLog are the fields that are printed of the messages StatusResponse, Vertex and
// VertexLog of package moby.buildkit.v1 (github.com/moby/buildkit, api/services/control/control.proto). Field numbers:
//
//	StatusResponse  vertexes 1, statuses 2, logs 3
//	Vertex          digest 1, inputs 2, name 3, cached 4, started 5, completed 6, error 7
//	VertexLog       vertex 1, timestamp 2, stream 3, msg 4
type traceStatus struct {
	vertexes []traceVertex
	logs     []traceLog
}

type traceVertex struct {
	digest, name, error string
	cached, started     bool
}

type traceLog struct {
	vertex string
	text   []byte
}

func parseStatus(data []byte) (traceStatus, error) {
	var s traceStatus
	err := eachField(data, func(number protowire.Number, value []byte, _ uint64) error {
		switch number {
		case 1:
			v, err := parseVertex(value)
			s.vertexes = append(s.vertexes, v)
			return err
		case 3:
			l, err := parseLog(value)
			s.logs = append(s.logs, l)
			return err
		}
		return nil
	})
	return s, err
}

func parseVertex(data []byte) (traceVertex, error) {
	var v traceVertex
	err := eachField(data, func(number protowire.Number, value []byte, n uint64) error {
		switch number {
		case 1:
			v.digest = string(value)
		case 3:
			v.name = string(value)
		case 4:
			v.cached = n != 0
		case 5:
			v.started = true
		case 7:
			v.error = string(value)
		}
		return nil
	})
	return v, err
}

func parseLog(data []byte) (traceLog, error) {
	var l traceLog
	err := eachField(data, func(number protowire.Number, value []byte, _ uint64) error {
		switch number {
		case 1:
			l.vertex = string(value)
		case 4:
			l.text = value
		}
		return nil
	})
	return l, err
}

// eachField calls handle for every field of a message: value is set for strings, bytes and messages, n for varints.
func eachField(data []byte, handle func(number protowire.Number, value []byte, n uint64) error) error {
	for len(data) > 0 {
		number, kind, length := protowire.ConsumeTag(data)
		if length < 0 {
			return fmt.Errorf("trace: %w", protowire.ParseError(length))
		}
		data = data[length:]
		var value []byte
		var n uint64
		switch kind {
		case protowire.BytesType:
			value, length = protowire.ConsumeBytes(data)
		case protowire.VarintType:
			n, length = protowire.ConsumeVarint(data)
		default:
			length = protowire.ConsumeFieldValue(number, kind, data)
		}
		if length < 0 {
			return fmt.Errorf("trace: %w", protowire.ParseError(length))
		}
		if err := handle(number, value, n); err != nil {
			return err
		}
		data = data[length:]
	}
	return nil
}
