package builder

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var defaults = Limits{}.withDefaults()

// listing renders a tar: "name mode uid content".
func listing(t *testing.T, r io.Reader) []string {
	t.Helper()
	var lines []string
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s %o %d %q", h.Name, h.Mode, h.Uid, string(data)+h.Linkname))
	}
}

func TestSourceHoldsTheTreeAsCommitted(t *testing.T) {
	r := newRepo(t, map[string]string{
		".gitattributes": "hidden export-ignore\nsubst export-subst\n*.crlf text eol=crlf\n",
		"hidden":         "kept",
		"subst":          "$Format:%H$",
		"a.crlf":         "one\ntwo\n",
		"bin/run*":       "#!/bin/sh\n",
		"link":           "-> bin/run",
		"with space\nlf": "x",
	})
	src, err := openSource(t.Context(), place{gitDir: r.gitDir(), commit: r.head()}, defaults)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := src.Open(t.Context(), TarOptions{Prefix: "build/7", UID: 1000})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`build/7/.gitattributes 644 1000 "hidden export-ignore\nsubst export-subst\n*.crlf text eol=crlf\n"`,
		`build/7/a.crlf 644 1000 "one\ntwo\n"`,
		`build/7/bin/ 755 1000 ""`,
		`build/7/bin/run 755 1000 "#!/bin/sh\n"`,
		`build/7/hidden 644 1000 "kept"`,
		`build/7/link 777 1000 "bin/run"`,
		`build/7/subst 644 1000 "$Format:%H$"`,
		"build/7/with space\nlf 644 1000 \"x\"",
	}
	if diff := cmp.Diff(want, listing(t, stream)); diff != "" {
		t.Error(diff)
	}
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
	if src.Files != 8 || src.Time.UTC().Format("2006-01-02") != "2024-05-01" {
		t.Errorf("files %d, time %v", src.Files, src.Time)
	}
	scratch := src.git.dir
	if err := src.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(scratch); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("scratch repository: %v", err)
	}
}

func TestSourceReadsFilesOfTheSubtree(t *testing.T) {
	r := newRepo(t, map[string]string{"Procfile": "web: root", "back/end/Procfile": "web: sub", "back/end/link": "-> Procfile"})
	src, err := openSource(t.Context(), place{gitDir: r.gitDir(), commit: r.head(), dir: "/back//end/"}, defaults)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	data, err := src.ReadFile(t.Context(), "Procfile")
	if err != nil || string(data) != "web: sub" {
		t.Errorf("%q, %v", data, err)
	}
	for _, name := range []string{"none", "link", "../../Procfile/x", "back", "*"} {
		if _, err := src.ReadFile(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if has, err := src.Has(t.Context(), "link"); !has || err != nil {
		t.Errorf("link: %v, %v", has, err)
	}
	if has, err := src.Has(t.Context(), "Dockerfile"); has || err != nil {
		t.Errorf("Dockerfile: %v, %v", has, err)
	}
}

func TestSourceReadsFromAQuarantine(t *testing.T) {
	r := newRepo(t, map[string]string{"f": "old"})
	quarantine := t.TempDir()
	if out, err := exec.Command("git", "init", "--quiet", "--bare", quarantine).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	alternates := filepath.Join(quarantine, "objects", "info", "alternates")
	if err := os.WriteFile(alternates, []byte(filepath.Join(r.gitDir(), "objects")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := openSource(t.Context(), place{gitDir: quarantine, commit: r.head()}, defaults)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if data, err := src.ReadFile(t.Context(), "f"); string(data) != "old" || err != nil {
		t.Errorf("%q %v", data, err)
	}
}

func TestSourceRefuses(t *testing.T) {
	r := newRepo(t, map[string]string{"a": strings.Repeat("x", 1000), "b": "y", "d/c": "z"})
	// treeBomb is ten levels of a tree that holds the level below ten times: 10^10 entries without one file.
	treeBomb := r.bomb(10, 10)
	badName := r.mktree("100644 blob " + r.git("hash-object", "-w", "a") + "\t.GIT")
	cases := map[string]struct {
		commit, dir string
		limits      Limits
		want        string
	}{
		"too many files": {limits: Limits{SourceFiles: 3}, want: "The source tree has more than 3 files and directories"},
		"too large":      {limits: Limits{SourceSize: 1000}, want: "The source tree is larger than 1kB unpacked"},
		"tree bomb":      {commit: treeBomb, want: "The source tree has more than 200000 files and directories"},
		"name":           {commit: badName, want: `The source tree has a file with the forbidden name ".GIT"`},
		"no directory":   {dir: "e", want: `PROJECT_DIR is "e", but the commit has no such directory`},
		"a file":         {dir: "a", want: `PROJECT_DIR is "a", but the commit has no such directory`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.commit == "" {
				c.commit = r.head()
			}
			_, err := openSource(t.Context(), place{gitDir: r.gitDir(), commit: c.commit, dir: c.dir}, c.limits.withDefaults())
			var failure *Failure
			if !errors.As(err, &failure) || failure.Summary != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	if _, err := openSource(t.Context(), place{gitDir: r.gitDir(), commit: "--output=x"}, defaults); err == nil {
		t.Error("an option was taken for a commit")
	}
}

// mktree commits a tree of raw lines.
func (r repo) mktree(lines string) string {
	cmd := exec.Command("git", "mktree", "--missing")
	cmd.Dir, cmd.Stdin = r.dir, strings.NewReader(lines+"\n")
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatal(err)
	}
	return r.git("commit-tree", "-m", "x", strings.TrimSpace(string(out)))
}

func (r repo) bomb(levels, width int) string {
	tree := r.git("hash-object", "-t", "tree", "-w", "/dev/null")
	var commit string
	for range levels {
		var lines []string
		for i := range width {
			lines = append(lines, fmt.Sprintf("040000 tree %s\td%d", tree, i))
		}
		commit = r.mktree(strings.Join(lines, "\n"))
		tree = r.git("rev-parse", commit+"^{tree}")
	}
	return commit
}

func TestSourceListsSubmodules(t *testing.T) {
	r := newRepo(t, map[string]string{"f": "x"})
	r.git("update-index", "--add", "--cacheinfo", "160000,"+r.head()+",vendor/lib")
	r.git("commit", "--quiet", "--message=submodule")
	src, err := openSource(t.Context(), place{gitDir: r.gitDir(), commit: r.head()}, defaults)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if diff := cmp.Diff([]string{"vendor/lib"}, src.Submodules); diff != "" {
		t.Error(diff)
	}
	stream, err := src.Open(t.Context(), TarOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if diff := cmp.Diff([]string{`f 644 0 "x"`, `vendor/ 755 0 ""`, `vendor/lib/ 755 0 ""`}, listing(t, stream)); diff != "" {
		t.Error(diff)
	}
}

func TestClosingASourceStreamEarlyEndsGit(t *testing.T) {
	r := newRepo(t, map[string]string{"big": strings.Repeat("0123456789abcdef", 1<<18)})
	src, err := openSource(t.Context(), place{gitDir: r.gitDir(), commit: r.head()}, defaults)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	stream, err := src.Open(t.Context(), TarOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stream, make([]byte, 512)); err != nil {
		t.Error(err)
	}
	if err := stream.Close(); err != nil { // returns only after the process has been waited for
		t.Error(err)
	}
}
