package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// engine returns a client of the engine of this machine, or skips.
func engine(t testing.TB) *client.Client {
	t.Helper()
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Close() })
	if _, err := api.Ping(t.Context()); err != nil {
		t.Skipf("no Docker engine answers: %v", err)
	}
	return api
}

// ownStacks makes images in a namespace of its own and removes image when the test ends.
func ownStacks(t *testing.T) (s *Stacks, forget func(image string)) {
	t.Helper()
	s = &Stacks{Docker: engine(t), Namespace: fmt.Sprintf("boathook-test-%d", time.Now().UnixNano())}
	return s, func(image string) {
		t.Cleanup(func() {
			if err := removeImage(context.Background(), s.Docker, image); err != nil {
				t.Error(err)
			}
		})
	}
}

// checkSystem runs what every stack image must be able to do.
const checkSystem = `set -e
[ "$(id -u)" = 1000 ]
for dir in /app /build /cache /tmp; do echo written > $dir/file; done
[ "$HOME" = /app ]
/usr/bin/env bash -c 'mkdir -p /tmp/a && cd /tmp/a && touch f && tar -cf - f | tar -tf - | grep -q f'
sleep 0; ls / | sort | head -1 | tr a-z A-Z`

func TestEnsureTiny(t *testing.T) {
	for name, programs := range map[string]func(context.Context) (*rootFS, error){
		"debian packages": debianStatics, "host programs": hostPrograms,
	} {
		t.Run(name, func(t *testing.T) {
			s, forget := ownStacks(t)
			ref, err := s.makeTiny(t.Context(), programs)
			if err != nil {
				t.Skipf("not possible on this machine: %v", err)
			}
			forget(ref)
			out, err := exec.CommandContext(t.Context(), "docker", "run", "--rm", "--network=none", "--user=1000:1000", ref, "/bin/bash", "-c", checkSystem).CombinedOutput()
			if err != nil || strings.TrimSpace(string(out)) != "APP" {
				t.Errorf("%v\n%s", err, out)
			}
			var said bytes.Buffer
			again, err := s.EnsureTiny(t.Context(), &said)
			if err != nil || again != ref || said.Len() > 0 {
				t.Errorf("again: %q, %v, saying %q; want %q in silence", again, err, said.String(), ref)
			}
		})
	}
}

// TestImageWithoutName is of an image whose name went to that of another maker.
func TestImageWithoutName(t *testing.T) {
	for want, tags := range map[string][]string{
		"": {"<none>:<none>"}, "boathook/stack-tiny:1": {"<none>:<none>", "boathook/stack-tiny:1", "other:2"},
	} {
		if got := nameOf(image.Summary{RepoTags: tags}); got != want {
			t.Errorf("%q: %q, want %q", tags, got, want)
		}
	}
	if got := nameOf(image.Summary{}); got != "" {
		t.Errorf("no tags: %q", got)
	}
}

// TestMadeHasAName: another image takes a stack's name, as when two servers make one at the same time; the one without a name cannot be used.
func TestMadeHasAName(t *testing.T) {
	s, forget := ownStacks(t)
	ref := s.Namespace + "/stack-tiny:1"
	for _, config := range [][]string{s.stackConfig("tiny:" + tinyRecipe), {"ENV OTHER=1"}} {
		id, err := s.importTar(t.Context(), ref, bytes.NewReader(make([]byte, 1024)), config) // two blocks of zeros: an empty tar
		if err != nil {
			t.Fatal(err)
		}
		forget(id)
	}
	if found, err := s.made(t.Context(), "tiny:"+tinyRecipe); err != nil || found != "" {
		t.Errorf("found %q, %v", found, err)
	}
}

// TestEnsureBootstraps goes the whole chain, down to packages from a Debian mirror, of which it takes fewer than a real image has.
func TestEnsureBootstraps(t *testing.T) {
	if _, err := exec.LookPath("mmdebstrap"); err != nil {
		t.Skipf("not possible on this machine: %v", err)
	}
	s, forget := ownStacks(t)
	s.Images = []string{"127.0.0.1:1/absent:1"}
	s.packages = []string{"bash", "coreutils", "sed", "findutils", "tar", "passwd"}
	s.base = "127.0.0.1:1/debian:1"
	var said bytes.Buffer
	ref, err := s.Ensure(t.Context(), &said)
	if err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	forget(ref)
	rest := said.String()
	for _, step := range []string{"Pulling the stack image 127.0.0.1:1/absent:1\n", "That did not work", "Building a stack image from 127.0.0.1:1/debian:1\n", "That did not work", "Bootstrapping a stack image from http"} {
		_, after, found := strings.Cut(rest, step)
		if !found {
			t.Errorf("no %q in order in\n%s", step, &said)
		}
		rest = after
	}
	out, err := exec.CommandContext(t.Context(), "docker", "run", "--rm", "--network=none", "--user=1000:1000", ref, "/bin/bash", "-c", checkSystem).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "APP" {
		t.Errorf("%v\n%s", err, out)
	}
	said.Reset()
	if again, err := s.Ensure(t.Context(), &said); err != nil || again != ref || said.Len() > 0 {
		t.Errorf("again: %q, %v, saying %q; want %q in silence", again, err, &said, ref)
	}
}

func TestEnsureTakesWhatIsThere(t *testing.T) {
	s, forget := ownStacks(t)
	tiny, err := s.EnsureTiny(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	forget(tiny)
	s.Images = []string{"127.0.0.1:1/absent:1", tiny}
	var said bytes.Buffer
	if got, err := s.Ensure(t.Context(), &said); err != nil || got != tiny || said.Len() > 0 {
		t.Errorf("Ensure = %q, %v, saying %q; want %q in silence", got, err, said.String(), tiny)
	}
}

// refuse is a step that does not work.
func refuse(why string) func(context.Context, io.Writer) (string, error) {
	return func(context.Context, io.Writer) (string, error) { return "", errors.New(why) }
}

func TestStacksTellWhyTheyGoOn(t *testing.T) {
	var s Stacks
	var said bytes.Buffer
	image, err := s.first(t.Context(), &said, []stackStep{
		{try: "Trying one", run: refuse("one is closed")},
		{try: "Trying two", run: refuse("two is closed")},
	})
	if image != "" || err == nil || err.Error() != "one is closed; two is closed" {
		t.Errorf("first = %q, %v", image, err)
	}
	want := "-----> Trying one\n       That did not work: one is closed\n-----> Trying two\n       That did not work: two is closed\n"
	if said.String() != want {
		t.Errorf("said %q, want %q", said.String(), want)
	}
}
