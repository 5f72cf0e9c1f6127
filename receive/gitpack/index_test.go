package gitpack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestIndexHolds asks an index that git wrote for everything that git says is in it, and for what is not.
func TestIndexHolds(t *testing.T) {
	dir := t.TempDir()
	git := func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=A", "-c", "user.email=a@example.com"}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %v: %v", args, err)
		}
		return string(out)
	}
	git("", "init", "-q")
	for i := range 300 { // enough for several objects behind one first byte
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), fmt.Append(nil, i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git("", "add", ".")
	git("", "commit", "-q", "-m", "all")
	git("", "repack", "-adq")
	quarantine := &quarantine{dir: filepath.Join(dir, ".git")}
	ids := strings.Fields(git("", "rev-list", "--objects", "--no-object-names", "--all"))
	if len(ids) != 302 {
		t.Fatalf("%d objects, want 302", len(ids))
	}
	for _, id := range ids {
		if held, err := quarantine.holds(id); err != nil || !held {
			t.Errorf("%s: %v, %v", id, held, err)
		}
	}
	absent := strings.TrimSpace(git("not in the pack", "hash-object", "--stdin"))
	for _, id := range []string{absent, strings.Repeat("0", 40), strings.Repeat("f", 40)} {
		if held, err := quarantine.holds(id); err != nil || held {
			t.Errorf("%s, which is not there: %v, %v", id, held, err)
		}
	}
	if _, err := quarantine.holds("refs/heads/master"); err == nil {
		t.Error("a name that is no object id was looked up")
	}
}
