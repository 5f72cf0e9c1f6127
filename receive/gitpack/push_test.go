package gitpack

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestPushes(t *testing.T) {
	w := newWorld(t)
	first := w.must("", "rev-parse", "HEAD")
	out, code := w.push("", "-o", "detach", "master")
	if code != 0 || !strings.Contains(out, "remote:  <-- Start my-app detach -->") {
		t.Fatalf("exit %d\n%s", code, out)
	}
	w.head("refs/heads/master", first)
	for _, text := range []string{"two", "three", "four", "five"} { // thin packs, and a repack at the third
		id := w.commit(text)
		if out, code := w.push("publish", "master"); code != 0 {
			t.Fatalf("exit %d\n%s", code, out)
		}
		w.head("refs/heads/master", id)
	}
	if out, code := w.push("slow", "--quiet", "--force", first+":master"); code != 0 || !strings.Contains(out, "Start") {
		t.Fatalf("force: exit %d\n%s", code, out)
	}
	w.head("refs/heads/master", first)
	w.must("", "fsck", "--full")
	packs, _ := filepath.Glob(filepath.Join(w.path, "objects/pack/*.pack"))
	if len(packs) > 3 {
		t.Errorf("%d packs, repacked at 3", len(packs))
	}
	if out, code := w.push("", "master:main"); code != 0 {
		t.Fatalf("main: exit %d\n%s", code, out)
	}
	clone := filepath.Join(t.TempDir(), "clone")
	w.must("x", "clone", "-q", "--upload-pack="+w.self+" upload", "file://"+w.path, clone)
	if got, want := w.must("", "-C", clone, "rev-parse", "main"), w.must("", "rev-parse", "master"); got != want {
		t.Errorf("clone has %s, want %s", got, want)
	}
	if out, code := w.push("large", "-f", "master~1:main"); code != 0 || strings.Count(out, "0123456789abcde") != 20000 {
		t.Errorf("large output: exit %d, %d lines", code, strings.Count(out, "0123456789abcde"))
	}
}

func TestFailedDeploymentLeavesRef(t *testing.T) {
	for mode, want := range map[string]string{"fail": "(hook-error and more)", "broken": "(internal error)", "revert": "(hook-error and more)"} {
		w := newWorld(t)
		out, code := w.push(mode, "master")
		if code != 1 || !strings.Contains(out, "[remote rejected] master -> master "+want) || strings.Contains(out, "secret") {
			t.Errorf("%s: exit %d\n%s", mode, code, out)
		}
		w.head("refs/heads/master", ZeroID)
		if out, code := w.push("", "master"); code != 0 {
			t.Errorf("again after %s: exit %d\n%s", mode, code, out)
		}
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	w.must("", "branch", "other")
	w.must("", "tag", "v1")
	w.must("", "update-ref", "refs/odd/x", "HEAD")
	if out, code := w.push("", "master"); code != 0 {
		t.Fatal(out)
	}
	old := w.must("", "rev-parse", "HEAD")
	w.commit("two")
	w.must("", "branch", "-f", "other")
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"other"}, []string{"remote:  !     Cannot push on non-master or non-main branch", "git push scalingo other:master", "other -> other (not master or main)"}},
		{[]string{"v1"}, []string{"tag v1", "git push scalingo 'v1^{commit}:master'", "[remote rejected]"}},
		{[]string{"refs/odd/x"}, []string{"(not a branch)"}},
		{[]string{":master"}, []string{"(deletion prohibited)"}},
		{[]string{"master", "master:main"}, []string{"master -> master (master and main in one push)", "master -> main (master and main in one push)"}},
		{[]string{"--atomic", "master", "other"}, []string{"other -> other (not master or main)"}},
	} {
		out, code := w.push("", tt.args...)
		if code != 1 {
			t.Errorf("%v: exit %d", tt.args, code)
		}
		for _, want := range tt.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v: %q is missing in\n%s", tt.args, want, out)
			}
		}
		if strings.Contains(out, "roken pipe") {
			t.Errorf("%v:\n%s", tt.args, out)
		}
		w.head("refs/heads/master", old)
	}
	if out, code := w.push("early", "master"); code != 128 || !strings.Contains(out, "fatal: remote error: no such app") {
		t.Errorf("early: exit %d\n%s", code, out)
	}
}

func TestShallowPush(t *testing.T) {
	w := newWorld(t)
	w.commit("two")
	shallow := filepath.Join(t.TempDir(), "shallow")
	w.must("", "clone", "-q", "--depth=1", "file://"+w.work, shallow)
	full := w.work
	w.work = shallow
	if out, code := w.push("", "HEAD:master"); code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	w.must("", "-C", w.path, "fsck", "--full")
	w.work = full
	id := w.commit("three")
	if out, code := w.push("", "master"); code != 0 {
		t.Fatalf("full clone after a shallow one: exit %d\n%s", code, out)
	}
	w.head("refs/heads/master", id)
}
