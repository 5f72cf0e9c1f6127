package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"boathook/receive/gitpack"
	"boathook/receive/state"
)

// landing is a data directory in which pushes of my-app land one after another: as deploy.switchOver does it, first the objects and
// the branch, then the record.
type landing struct {
	t     *testing.T
	data  string
	work  string // where the commits are made
	store *state.Store
	count int
}

func newLanding(t *testing.T) *landing {
	t.Helper()
	l := &landing{t: t, data: filepath.Join(t.TempDir(), "data"), work: filepath.Join(t.TempDir(), "work")}
	l.must(os.MkdirAll(filepath.Join(l.data, "host-keys"), 0o700))
	l.must(os.WriteFile(filepath.Join(l.data, "host-keys", "ssh_host_ed25519_key"), []byte("host key"), 0o600))
	l.must(os.MkdirAll(filepath.Join(l.data, "certificates", "locks"), 0o700))
	l.must(os.WriteFile(filepath.Join(l.data, "certificates", "locks", "issue.lock"), []byte("lock"), 0o600))
	l.must(os.MkdirAll(filepath.Join(l.data, "certificates", "acme"), 0o700))
	l.must(os.WriteFile(filepath.Join(l.data, "certificates", "acme", "account.json"), []byte("account"), 0o600))
	var err error
	l.store, err = state.Open(t.Context(), filepath.Join(l.data, "boathook.db"))
	l.must(err)
	t.Cleanup(func() { l.must(l.store.Close()) })
	repos, err := gitpack.Open(gitpack.Config{Dir: filepath.Join(l.data, "repositories"), Log: slog.New(slog.DiscardHandler)})
	l.must(err)
	_, err = l.store.CreateUser(t.Context(), "alice", false)
	l.must(err)
	for _, app := range []string{"my-app", "new-app"} {
		_, err = l.store.CreateApp(t.Context(), app, "alice")
		l.must(err)
		l.must(repos.Create(t.Context(), app))
	}
	l.must(l.store.SetVariables(t.Context(), "my-app", map[string]string{"TOKEN": "a-secret-value"}))
	l.git("init", "-q", "-b", "master", l.work)
	return l
}

func (l *landing) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Error(err)
	}
}

func (l *landing) git(args ...string) string {
	l.t.Helper()
	return gitOutput(l.t, args...)
}

func gitOutput(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// push lands one more commit; every fourth is forced back to the first, and every seventh repacks.
func (l *landing) push(ctx context.Context) {
	l.count++
	if l.count%4 == 0 {
		l.git("-C", l.work, "reset", "-q", "--hard", l.git("-C", l.work, "rev-list", "--max-parents=0", "HEAD"))
	}
	l.must(os.WriteFile(filepath.Join(l.work, "VERSION"), fmt.Appendln(nil, l.count), 0o644))
	l.git("-C", l.work, "add", ".")
	l.git("-C", l.work, "commit", "-q", "-m", fmt.Sprint(l.count))
	commit := l.git("-C", l.work, "rev-parse", "HEAD")

	d, err := l.store.CreateDeployment(ctx, state.Deployment{App: "my-app", Ref: "refs/heads/master", Commit: commit, Pusher: "alice"})
	l.must(err)
	for _, status := range []state.Status{state.Building, state.Pushing, state.Starting} {
		l.must(l.store.SetStatus(ctx, d.ID, status, ""))
	}
	l.must(l.store.SaveRelease(ctx, state.Release{Deployment: d.ID, App: "my-app", Commit: commit}))
	bare := filepath.Join(l.data, "repositories", "my-app.git")
	l.git("-C", l.work, "push", "-q", "--force", bare, "HEAD:refs/heads/master")
	l.must(l.store.GoLive(ctx, d.ID, nil))
	if l.count%7 == 0 {
		l.git("-C", bare, "repack", "-adq")
	}
}

// Each of the backups that are made while pushes land is consistent: the branch is at the last success that its database knows, and
// everything it leads to is there.
func TestBackupWhilePushesLand(t *testing.T) {
	l := newLanding(t)
	l.push(t.Context())
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	var pushes atomic.Int32
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			l.push(context.WithoutCancel(ctx))
			pushes.Add(1)
		}
	}()
	for i := 0; i < 8 || pushes.Load() < 8; i++ {
		var archive bytes.Buffer
		if err := writeBackup(t.Context(), l.data, &archive); err != nil {
			t.Error(err)
			break
		}
		data := filepath.Join(t.TempDir(), fmt.Sprint("restored-", i))
		if err := readBackup(t.Context(), &archive, data); err != nil {
			t.Error(err)
			break
		}
		wantConsistent(t, data)
	}
	stop()
	<-ended
}

func wantConsistent(t *testing.T, data string) {
	t.Helper()
	store, err := state.Open(t.Context(), filepath.Join(data, "boathook.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if vars, err := store.Variables(t.Context(), "my-app"); err != nil || vars["TOKEN"] != "a-secret-value" {
		t.Errorf("variables %v, %v", vars, err)
	}
	all, err := store.Deployments(t.Context(), "my-app", 0)
	if err != nil {
		t.Fatal(err)
	}
	var last state.Deployment
	for _, d := range all {
		if d.Status == state.Success && last.ID == 0 {
			last = d
		}
	}
	bare := filepath.Join(data, "repositories", "my-app.git")
	if head := gitOutput(t, "-C", bare, "rev-parse", "HEAD"); head != last.Commit {
		t.Errorf("the branch is at %s, the last success is %s", head, last.Commit)
	}
	gitOutput(t, "-C", bare, "fsck", "--strict", "--connectivity-only")
	if refs := gitOutput(t, "-C", filepath.Join(data, "repositories", "new-app.git"), "for-each-ref"); refs != "" {
		t.Errorf("new-app has %s", refs)
	}
}

// Neither what is open to others nor what belongs to the machine is in a backup or in what is made of it.
func TestBackupHoldsWhatItShould(t *testing.T) {
	l := newLanding(t)
	l.push(t.Context())
	for _, name := range []string{"lock", "builder/cache/file", "local/file", "boathook.db.schema-1",
		"repositories/my-app.git/objects/tmp_objdir-incoming-1/objects/pack/pack-00.pack", "repositories/my-app.git/config.lock", "repositories/.create-1/HEAD", "repositories/gone-app.git/HEAD"} {
		path := filepath.Join(l.data, name)
		l.must(os.MkdirAll(filepath.Dir(path), 0o700))
		l.must(os.WriteFile(path, []byte("left over"), 0o600))
	}
	file := filepath.Join(t.TempDir(), "backup.tar.gz")
	l.must(os.WriteFile(file, []byte("yesterday's"), 0o644))
	l.must(backupFile(t.Context(), l.data, file))
	data := filepath.Join(t.TempDir(), "restored")
	l.must(os.Mkdir(data, 0o755))
	l.must(restoreFile(t.Context(), file, data))

	info, err := os.Stat(file)
	l.must(err)
	if info.Mode() != 0o600 {
		t.Errorf("the archive has mode %v", info.Mode())
	}
	l.must(filepath.WalkDir(data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	}))
	var top []string
	entries, err := os.ReadDir(data)
	l.must(err)
	for _, e := range entries {
		top = append(top, e.Name())
	}
	if got := strings.Join(top, " "); got != "boathook.db certificates host-keys lock repositories secrets.key" {
		t.Errorf("restored: %s", got)
	}
	account, err := os.ReadFile(filepath.Join(data, "certificates", "acme", "account.json"))
	if err != nil || string(account) != "account" {
		t.Errorf("the account: %q, %v", account, err)
	}
	if locks, err := os.ReadDir(filepath.Join(data, "certificates", "locks")); err == nil && len(locks) > 0 {
		t.Errorf("%d locks are restored", len(locks))
	}
	for _, name := range []string{"my-app.git/objects/tmp_objdir-incoming-1", "my-app.git/config.lock", ".create-1", "gone-app.git"} {
		if _, err := os.Stat(filepath.Join(data, "repositories", name)); err == nil {
			t.Errorf("%s is restored", name)
		}
	}
	if _, err := os.Stat(filepath.Join(l.data, "backup.new")); err == nil {
		t.Error("the stage is left")
	}
}

// A repository in which something is missing is told of, and there is no archive that looks whole.
func TestBackupOfADamagedRepository(t *testing.T) {
	l := newLanding(t)
	l.push(t.Context())
	objects := filepath.Join(l.data, "repositories", "my-app.git", "objects")
	l.must(os.RemoveAll(objects))
	l.must(os.Mkdir(objects, 0o700))
	file := filepath.Join(t.TempDir(), "backup.tar.gz")
	err := backupFile(t.Context(), l.data, file)
	if err == nil || !strings.Contains(err.Error(), "repository of my-app: it changed while it was read") || !strings.Contains(err.Error(), "fsck' tells more") {
		t.Errorf("error %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestOneBackupAtATime(t *testing.T) {
	l := newLanding(t)
	s, err := openStage(l.data)
	l.must(err)
	err = writeBackup(t.Context(), l.data, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "another backup is being made: wait for its end") {
		t.Errorf("error %v", err)
	}
	l.must(s.close())
	// What a backup that was killed left is no hindrance.
	l.must(os.MkdirAll(filepath.Join(l.data, "backup.new", "repositories", "my-app.git"), 0o700))
	l.must(writeBackup(t.Context(), l.data, &bytes.Buffer{}))
}

// entry is a file of a forged archive.
type entry struct {
	name, text string
	kind       byte
}

func forge(t *testing.T, m manifest, entries ...entry) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	head, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range append([]entry{{manifestName, string(head), tar.TypeReg}}, entries...) {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Mode: 0o644, Size: int64(len(e.text))}
		if e.kind == tar.TypeSymlink {
			h.Linkname, h.Size = "/etc", 0
		}
		if err := archive.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := archive.Write([]byte(e.text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return &out
}

// What is refused leaves the directory as empty as it was.
func TestForgedArchivesAreRefused(t *testing.T) {
	good := manifest{Format: 1, Boathook: "1.0"}
	foreign := "does not belong into a data directory"
	for name, test := range map[string]struct {
		archive *bytes.Buffer
		want    string
	}{
		"not gzip":           {bytes.NewBufferString("hello"), "this is no archive by 'boathook backup'"},
		"newer":              {forge(t, manifest{Format: 2, Boathook: "9.9"}), "the archive has format 2, made by boathook 9.9, and this boathook knows formats up to 1: restore it with a newer one"},
		"empty":              {forge(t, good), "the archive holds no database"},
		"above":              {forge(t, good, entry{"../evil", "x", tar.TypeReg}), foreign},
		"above, later":       {forge(t, good, entry{"repositories/../../evil", "x", tar.TypeReg}), foreign},
		"absolute":           {forge(t, good, entry{"/etc/evil", "x", tar.TypeReg}), foreign},
		"another file":       {forge(t, good, entry{"lock", "x", tar.TypeReg}), foreign},
		"link":               {forge(t, good, entry{"repositories", "", tar.TypeSymlink}), "is neither a file nor a directory"},
		"a file twice":       {forge(t, good, entry{"namespace", "x", tar.TypeReg}, entry{"namespace", "y", tar.TypeReg}), "file exists"},
		"no database":        {forge(t, good, entry{"secrets.key", "x", tar.TypeReg}), "the archive holds no database"},
		"a damaged database": {forge(t, good, entry{"boathook.db", strings.Repeat("no database\n", 100), tar.TypeReg}), "the database is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			err := readBackup(t.Context(), test.archive, data)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if left, err := os.ReadDir(data); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(data), "evil")); err == nil {
				t.Error("written beside the directory")
			}
		})
	}
}

func TestPrivateDir(t *testing.T) {
	for name, test := range map[string]struct {
		holds string
		want  string
	}{
		"empty": {"", ""}, "boathook's": {"boathook.db", ""}, "a volume's": {"lost+found", ""}, "people's": {"letter", "holds other things, and others may look into it (mode 0755)"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, err := range []error{os.Chmod(dir, 0o755), os.WriteFile(filepath.Join(dir, "lock"), nil, 0o600)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			if test.holds != "" {
				if err := os.WriteFile(filepath.Join(dir, test.holds), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := privateDir(dir)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			info, err := os.Stat(dir)
			if err != nil {
				t.Fatal(err)
			}
			if private := info.Mode().Perm() == 0o700; private != (test.want == "") {
				t.Errorf("mode %v", info.Mode())
			}
		})
	}
}
