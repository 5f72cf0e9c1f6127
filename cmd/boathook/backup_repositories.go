package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"boathook/receive/state"
)

// errMoved tells that something went away while it was collected.
var errMoved = errors.New("it changed while it was read")

// collectRepositories collects the repository of every app in the copied database.
func collectRepositories(ctx context.Context, data, dir string) error {
	store, err := state.Open(ctx, filepath.Join(dir, "boathook.db")) // which checks the copy, and the key with it
	if err != nil {
		return fmt.Errorf("copy of the database: %w", err)
	}
	err = collectApps(ctx, store, data, dir)
	return errors.Join(err, store.Close())
}

func collectApps(ctx context.Context, store *state.Store, data, dir string) error {
	apps, err := store.Apps(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "repositories"), 0o700); err != nil {
		return err
	}
	for _, app := range apps {
		branches, err := landed(ctx, store, app.Name)
		if err != nil {
			return err
		}
		name := filepath.Join("repositories", app.Name+".git")
		r := stagedRepository{from: filepath.Join(data, name), dir: filepath.Join(dir, name), branches: branches}
		if err := r.collect(ctx); err != nil {
			return fmt.Errorf("repository of %s: %w; if it is like that again, 'git -C %s fsck' tells more, and 'boathook destroy %s' ends an app that is half gone", app.Name, err, r.from, app.Name)
		}
	}
	return nil
}

// branch is a full name, "refs/heads/master", and the commit of its last deployment that was a success.
type branch struct{ name, commit string }

// landed is an app's branches, the one that was deployed last first.
func landed(ctx context.Context, store *state.Store, app string) (branches []branch, err error) {
	all, err := store.Deployments(ctx, app, 0)
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		known := func(b branch) bool { return b.name == d.Ref }
		if d.Status == state.Success && !slices.ContainsFunc(branches, known) {
			branches = append(branches, branch{d.Ref, d.Commit})
		}
	}
	return branches, nil
}

// stagedRepository is a copy of a repository that serves on while it is copied.
type stagedRepository struct {
	from, dir string
	branches  []branch
}

var (
	looseObject = regexp.MustCompile(`^[0-9a-f]{2}/[0-9a-f]{38}$`)
	packFile    = regexp.MustCompile(`^pack/pack-[0-9a-f]+\.(pack|idx|rev)$`)
	hostKey     = regexp.MustCompile(`^ssh_host_[a-z0-9]+_key$`)
)

func isObject(name string) bool  { return looseObject.MatchString(name) || packFile.MatchString(name) }
func isHostKey(name string) bool { return hostKey.MatchString(name) }

// collect makes the copy and checks it.
func (r stagedRepository) collect(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(r.dir, "refs/heads"), 0o700); err != nil {
		return err
	}
	if err := takeAll(filepath.Join(r.from, "objects"), filepath.Join(r.dir, "objects"), isObject); err != nil {
		return gone(err)
	}
	for _, name := range []string{"config", "shallow"} {
		err := take(filepath.Join(r.from, name), filepath.Join(r.dir, name))
		if err != nil && !(name == "shallow" && errors.Is(err, fs.ErrNotExist)) {
			return gone(err)
		}
	}
	if err := r.writeRefs(); err != nil {
		return err
	}
	return r.check(ctx)
}

// gone marks what is not there any more.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", errMoved, err)
	}
	return err
}

// writeRefs writes the branches in the form of gitrepository-layout(5), and lets HEAD name the one that was deployed last.
func (r stagedRepository) writeRefs() error {
	head := "refs/heads/master"
	var packed strings.Builder
	packed.WriteString("# pack-refs with: sorted\n")
	sorted := slices.SortedFunc(slices.Values(r.branches), func(a, b branch) int { return cmp.Compare(a.name, b.name) })
	for _, b := range sorted {
		fmt.Fprintf(&packed, "%s %s\n", b.commit, b.name)
	}
	if len(r.branches) > 0 {
		head = r.branches[0].name
	}
	return errors.Join(
		os.WriteFile(filepath.Join(r.dir, "packed-refs"), []byte(packed.String()), 0o600),
		os.WriteFile(filepath.Join(r.dir, "HEAD"), []byte("ref: "+head+"\n"), 0o600),
	)
}

// check walks everything that the branches lead to.
func (r stagedRepository) check(ctx context.Context) error {
	if len(r.branches) == 0 {
		return nil
	}
	git := exec.CommandContext(ctx, "git", "--git-dir", r.dir, "rev-list", "--objects", "--all", "--quiet")
	git.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null"}
	said, err := git.CombinedOutput()
	if ctx.Err() != nil {
		return errStopped
	}
	if err != nil {
		return fmt.Errorf("%w: %w: %s", errMoved, err, bytes.TrimSpace(said))
	}
	return nil
}

// takeAll takes the files below a directory whose names, relative to it, are wanted, and makes the directories they lie in.
func takeAll(from, to string, wanted func(name string) bool) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != from {
			return nil // a quarantine that ended
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		switch {
		case err != nil:
			return err
		case path != from && strings.HasPrefix(entry.Name(), "tmp_"):
			return skip(entry)
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		case wanted(name):
			return take(path, filepath.Join(to, name))
		}
		return nil
	})
}

func skip(entry fs.DirEntry) error {
	if entry.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// take puts a file on the stage by hard link: nothing here is ever written into once it has its name. What lies on another file
// system, or on one without hard links, is copied.
func take(from, to string) error {
	err := os.Link(from, to)
	if !errors.Is(err, unix.EXDEV) && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOTSUP) {
		return err
	}
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	copied, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(copied, source)
	return errors.Join(err, copied.Close())
}
