package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"boathook/cmd/boathook/scenes"
	"boathook/runner"
)

// TestRolling restarts, resizes and scales an app under load, by the command over ssh: every request is answered, those in flight too. The containers that a
// command is about are others afterwards, or fewer or more, and the rest are not touched.
func TestRolling(t *testing.T) {
	t.Parallel()
	app := scenes.Fixture(t)
	for _, engine := range []string{"local", "docker"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			if engine == "docker" {
				scenes.NeedDocker(t)
			}
			w := newWalk(t, engine, app)
			w.args = append(w.args, "-drain-time", "1m") // nobody is cut off
			b := w.serve()
			defer b.stop()
			for _, step := range []struct {
				line  string
				stays string // containers that are the same afterwards
				comes string // others, new ones
			}{
				{"scale my-app web:1", "web-1 worker-1", ""},
				{"restart my-app", "", "web-1 worker-1"},
				{"restart my-app worker", "web-1", "worker-1"},
				{"scale my-app web:1:L", "worker-1", "web-1"},
				{"scale my-app web:2:L worker:+1", "web-1 worker-1", "web-2 worker-2"},
				{"scale my-app worker:2:S", "web-1 web-2", "worker-1 worker-2"},
			} {
				before := b.running()
				b.underLoad(step.line, func() error { return b.ssh(step.line) })
				b.changed(step.line, before, step.stays, step.comes)
			}
			if engine == "docker" {
				b.limitedAsL()
			}
			for _, step := range []struct{ line, stays, comes string }{
				{"restart my-app web", "worker-1 worker-2", "web-1 web-2"},
				{"scale my-app web:1", "web-1 worker-1 worker-2", ""},
			} {
				before := b.running()
				b.underLoad(step.line, func() error { return b.whileHeld(step.line) })
				b.changed(step.line, before, step.stays, step.comes)
			}
		})
	}
}

// ssh runs a command by the real client.
func (b *boat) ssh(line string) error {
	var words []string
	for _, entry := range b.w.env {
		if command, ok := strings.CutPrefix(entry, "GIT_SSH_COMMAND="); ok {
			words = strings.Fields(command)
		}
	}
	host, port, _ := strings.Cut(b.sshListener.Addr().String(), ":")
	out, err := exec.Command(words[0], append(words[1:], "-p", port, "git@"+host, line)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", line, err, out)
	}
	return nil
}

// changed checks what a command has made of the containers.
func (b *boat) changed(line string, before map[string]string, stays, comes string) {
	b.w.t.Helper()
	after := b.running()
	got := map[string]bool{} // whether it is another than before
	for name, id := range after {
		got[strings.TrimPrefix(name, "1/")] = before[name] != id
	}
	want := map[string]bool{}
	for _, name := range strings.Fields(stays) {
		want[name] = false
	}
	for _, name := range strings.Fields(comes) {
		want[name] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.w.t.Errorf("%s: the containers, and whether they are new (-want +got):\n%s\n%v before, %v after", line, diff, before, after)
	}
}

// underLoad does something while four clients ask; each of their requests must have been answered well.
func (b *boat) underLoad(name string, do func() error) {
	b.w.t.Helper()
	l := scenes.StartLoad("http://"+b.httpListener.Addr().String(), b.w.app+".example.com")
	err := do()
	_, lost := l.End()
	if err := errors.Join(err, lost); err != nil {
		b.w.t.Errorf("%s: %v", name, err)
	}
}

// held is a request whose answer has begun, and goes on when its body has ended.
type held struct {
	container string
	body      *io.PipeWriter
	answer    *http.Response
	rest      *bufio.Reader
}

func (b *boat) hold() (h held, err error) {
	reader, writer := io.Pipe()
	req, err := http.NewRequest(http.MethodPost, "http://"+b.httpListener.Addr().String()+"/held", reader)
	if err != nil {
		return h, err
	}
	req.Host = b.w.app + ".example.com"
	req.Header.Set("Accept-Encoding", "identity")
	h.body = writer
	if h.answer, err = http.DefaultClient.Do(req); err != nil {
		return h, err
	}
	h.rest = bufio.NewReader(h.answer.Body)
	name, err := h.rest.ReadString('\n')
	h.container = strings.TrimSpace(name)
	return h, err
}

func (h held) end() error {
	defer h.answer.Body.Close()
	if err := h.body.Close(); err != nil {
		return err
	}
	text, err := io.ReadAll(h.rest)
	if err != nil || h.answer.StatusCode != http.StatusOK || !strings.HasPrefix(string(text), "version") {
		return fmt.Errorf("in flight on %s, answered %s %q, %v", h.container, h.answer.Status, text, err)
	}
	return nil
}

// whileHeld runs a command while a request is in flight on each of two web containers, of which it removes the second or both. The command waits for
// theirs, and all are answered to the end.
func (b *boat) whileHeld(line string) error {
	flying := map[string]held{}
	for deadline := time.Now().Add(patience); len(flying) < 2; {
		h, err := b.hold()
		if err != nil || time.Now().After(deadline) {
			return fmt.Errorf("no request in flight on each of two containers: %v, %w", flying, err)
		}
		if _, twice := flying[h.container]; !twice {
			flying[h.container] = h
		} else if err := h.end(); err != nil {
			return err
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- b.ssh(line) }()
	first := "web-1" // to leave the router
	if strings.HasPrefix(line, "scale") {
		first = "web-2"
	}
	if err := b.awaitLeft(first); err != nil {
		return err
	}
	select {
	case err := <-ended:
		return fmt.Errorf("%s has not waited for the request in flight: %v", line, err)
	default:
	}
	var err error
	for _, h := range flying {
		err = errors.Join(err, h.end())
	}
	return errors.Join(err, <-ended)
}

// awaitLeft waits until a container gets no new requests.
func (b *boat) awaitLeft(name string) error {
	for deadline, others := time.Now().Add(patience), 0; others < 8; {
		h, err := b.hold()
		if err == nil {
			err = h.end()
		}
		if err != nil {
			return err
		}
		if others++; h.container == name {
			others = 0
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s still gets requests", name)
		}
	}
	return nil
}

// limitedAsL checks that the engine holds what size L promises against web containers that were scaled to it and a one-off of it.
func (b *boat) limitedAsL() {
	b.w.t.Helper()
	if err := b.ssh("run --detached --size L my-app bin/app worker"); err != nil {
		b.w.t.Error(err)
		return
	}
	api, err := dockerClient(context.Background(), "docker")
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer api.Close()
	instances, err := b.engine.List(context.Background(), runner.Selector{App: b.w.app})
	if err != nil {
		b.w.t.Fatal(err)
	}
	type limits struct{ Memory, PIDs, CPU int64 }
	got := map[string]limits{}
	for _, i := range instances {
		if i.Type == "worker" {
			continue
		}
		made, err := api.ContainerInspect(context.Background(), i.ID)
		if err != nil {
			b.w.t.Fatal(err)
		}
		r := made.HostConfig.Resources
		got[i.Type] = limits{r.Memory, pidsOf(r), r.CPUShares}
		if i.Type == "one-off" {
			err = b.ssh("one-off-stop my-app " + i.Name())
		}
		if err != nil {
			b.w.t.Error(err)
		}
	}
	l := limits{1024 << 20, 512, 1024}
	if diff := cmp.Diff(map[string]limits{"web": l, "one-off": l}, got); diff != "" {
		b.w.t.Errorf("limits (-want +got):\n%s", diff)
	}
}

func pidsOf(r container.Resources) int64 {
	if r.PidsLimit == nil {
		return 0
	}
	return *r.PidsLimit
}
