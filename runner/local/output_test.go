package local

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// filled returns an output of n lines of ten bytes that keeps 64 KiB.
func filled(t *testing.T, n int) *output {
	t.Helper()
	o := &output{path: filepath.Join(t.TempDir(), "output"), keep: 64 << 10}
	f, err := o.open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range n {
		if _, err := fmt.Fprintf(f, "%9d\n", i); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func readFrom(t *testing.T, o *output, pos int64) string {
	t.Helper()
	f, err := os.Open(o.path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out bytes.Buffer
	if _, err := o.copyTo(context.Background(), &out, f, pos); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestOutputIsTrimmed(t *testing.T) {
	const size = 20000 * 10
	o := filled(t, 20000)
	if err := o.trim(); err != nil {
		t.Fatal(err)
	}
	start, _ := o.bounds()
	if kept := size - start; kept < o.keep/2-1 || kept > o.keep {
		t.Fatalf("%d bytes are kept, want %d to %d", kept, o.keep/2, o.keep)
	}
	got := readFrom(t, o, 1000)
	if want := fmt.Sprintf("\n[%d bytes of output dropped]\n", start-1000); !strings.HasPrefix(got, want) {
		t.Errorf("begins with %q, want %q", got[:min(len(got), 60)], want)
	}
	if !strings.HasSuffix(got, "    19998\n    19999\n") || strings.Contains(got, "\x00") {
		t.Errorf("ends with %q, or holds a piece of the hole", got[len(got)-30:])
	}
	later := &output{path: o.path, keep: o.keep}
	if err := later.recover(); err != nil {
		t.Fatal(err)
	}
	if later.start != o.start {
		t.Errorf("a later engine finds the beginning at %d, was %d", later.start, o.start)
	}
}

func TestOutputBelowItsSizeIsLeftAlone(t *testing.T) {
	o := filled(t, 6000)
	if err := o.trim(); err != nil {
		t.Fatal(err)
	}
	if got := readFrom(t, o, 0); len(got) != 60000 {
		t.Errorf("%d bytes, want 60000", len(got))
	}
}

func TestOutputTail(t *testing.T) {
	o := filled(t, 5000)
	for _, n := range []int{1, 2, 3276, 3277, 4999, 5000, 6000} {
		f, err := os.Open(o.path)
		if err != nil {
			t.Fatal(err)
		}
		pos, err := o.tailFrom(f, n)
		f.Close()
		if want := int64(max(0, 5000-n) * 10); err != nil || pos != want {
			t.Errorf("tail of %d lines begins at %d, want %d, %v", n, pos, want, err)
		}
	}
}

func TestCopyTree(t *testing.T) {
	src, dst := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	write := func(name string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(src, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(src, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(src, "ro"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("run", 0o755)
	write("ro/data", 0o440)
	if err := os.Symlink("../run", filepath.Join(src, "ro", "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/nowhere", filepath.Join(src, "broken")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(src, "run"), filepath.Join(src, "hard")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(src, "ro"), 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeTree(src) })
	if err := copyTree(t.Context(), dst, src); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(listing(t, src), listing(t, dst)); diff != "" {
		t.Error(diff)
	}
	a, errA := os.Stat(filepath.Join(dst, "run"))
	b, errB := os.Stat(filepath.Join(dst, "hard"))
	if errA != nil || errB != nil || os.SameFile(a, b) {
		t.Error("a hard link was kept", errA, errB)
	}
	if err := removeTree(dst); err != nil {
		t.Error(err)
	}
}

// listing maps the paths below dir to mode and link target or content; dir itself aside.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		var content string
		switch {
		case info.Mode()&os.ModeSymlink != 0:
			content, err = os.Readlink(path)
		case info.Mode().IsRegular():
			var data []byte
			data, err = os.ReadFile(path)
			content = string(data)
		}
		all[path[len(dir):]] = info.Mode().String() + " " + content
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
