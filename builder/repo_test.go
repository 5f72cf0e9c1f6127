package builder

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// repo is a git repository of a test.
type repo struct {
	t   *testing.T
	dir string
}

// newRepo makes a repository with one commit of files: name to content. A name that ends in * is executable; content
// that starts with "-> " makes a symbolic link.
func newRepo(t *testing.T, files map[string]string) repo {
	t.Helper()
	r := repo{t, t.TempDir()}
	r.git("init", "--quiet", "--initial-branch=main", ".")
	r.commit(files)
	return r
}

// commit writes files, commits everything and returns the commit.
func (r repo) commit(files map[string]string) string {
	r.t.Helper()
	for name, content := range files {
		name, executable := strings.CutSuffix(name, "*")
		path := filepath.Join(r.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			if err := os.Symlink(target, path); err != nil {
				r.t.Fatal(err)
			}
			continue
		}
		mode := os.FileMode(0o644)
		if executable {
			mode = 0o755
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			r.t.Fatal(err)
		}
	}
	r.git("add", "--all", "--force", ".")
	r.git("commit", "--quiet", "--allow-empty", "--message=test")
	return r.git("rev-parse", "HEAD")
}

// git runs git in the work tree and returns its trimmed output.
func (r repo) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.com", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.com",
		"GIT_AUTHOR_DATE=2024-05-01T12:00:00Z", "GIT_COMMITTER_DATE=2024-05-01T12:00:00Z")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r repo) gitDir() string { return filepath.Join(r.dir, ".git") }
func (r repo) head() string   { return r.git("rev-parse", "HEAD") }
func (r repo) url() string    { return "file://" + r.dir }
