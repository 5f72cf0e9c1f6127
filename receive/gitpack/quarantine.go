package gitpack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// quarantinePrefix is the name git itself gives to such directories, so that its own clean-up knows them too.
const quarantinePrefix = "tmp_objdir-incoming-"

// quarantine is a git directory that borrows the repository's objects and keeps a push's own. It lies in the repository,
// on the same file system, so that objects move by hard link.
//
//	objects/tmp_objdir-incoming-N/{HEAD,config,refs/,shallow}
//	objects/tmp_objdir-incoming-N/objects/{pack/,info/alternates}
type quarantine struct {
	repos *Repos
	repo  string // the repository's git directory
	dir   string
}

func (r *Repos) newQuarantine(app string) (_ *quarantine, err error) {
	repo := r.Path(app)
	dir, err := os.MkdirTemp(filepath.Join(repo, "objects"), quarantinePrefix)
	if err != nil {
		return nil, fmt.Errorf("quarantine: %w", err)
	}
	q := &quarantine{repos: r, repo: repo, dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, q.remove())
		}
	}()
	for _, sub := range []string{"refs", "objects", "objects/pack", "objects/info"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil { // not MkdirAll, which would undo a Remove
			return nil, fmt.Errorf("quarantine: %w", err)
		}
	}
	for name, content := range map[string]string{
		"HEAD": "ref: refs/heads/master\n", "config": config, "objects/info/alternates": filepath.Join(repo, "objects") + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return nil, fmt.Errorf("quarantine: %w", err)
		}
	}
	return q, nil
}

// room is by how many bytes the repository may still grow, this and other quarantines counted.
func (q *quarantine) room() (int64, error) {
	held, err := sizeOf(filepath.Join(q.repo, "objects"))
	return q.repos.limits.RepositorySize - held, err
}

func (q *quarantine) remove() error { return os.RemoveAll(q.dir) }

// fsck are the checks of index-pack: everything is an error but three faults that old tools left in many histories.
const fsck = "--strict=zeroPaddedFilemode=warn,missingSpaceBeforeDate=warn,badTimezone=warn"

// notSelfContained is index-pack's exit status for a sound pack some of whose objects lean on others outside of it.
const notSelfContained = 1

// indexPack receives the pack from in. It returns when the process ends, whether or not the client half-closes. selfContained tells
// that every object that the pack's objects name is in the pack as well: what is reachable from one of them is there. The
// error is a refusal, unless it is of our own making.
func (q *quarantine) indexPack(ctx context.Context, in *upload) (selfContained bool, err error) {
	r := q.repos
	select {
	case r.packing <- struct{}{}:
		defer func() { <-r.packing }()
	case <-ctx.Done():
		return false, refusePack(ctx, r.limits, context.Cause(ctx), "")
	}
	room, err := q.room()
	if err != nil {
		return false, err
	}
	reads, stopReads := context.WithCancel(ctx)
	defer stopReads()
	outer := in.ctx
	in.ctx = reads
	defer func() { in.ctx = outer }()
	stderr := &tail{size: 1024}
	cmd := r.command(ctx, child{dir: q.dir, stderr: stderr, args: []string{"index-pack", "--stdin", "--fix-thin", fsck,
		"--check-self-contained-and-connected", fmt.Sprintf("--max-input-size=%d", min(r.limits.InputSize, max(1, room)))}})
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return false, fmt.Errorf("index-pack: %w", err)
	}
	if err := r.start(cmd); err != nil {
		return false, fmt.Errorf("index-pack: %w", err)
	}
	if err := in.into(cmd, pipe, stopReads); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == notSelfContained {
			return false, nil
		}
		return false, refusePack(ctx, r.limits, fmt.Errorf("index-pack: %w", stderr.explain(err)), string(stderr.kept))
	}
	return true, nil
}

// grafts writes the client's shallow commits that the repository does not know whole. A checkout of a CI system calls a
// commit shallow that we may have with its whole history, which must stay.
func (q *quarantine) grafts(ctx context.Context, shallow []string) error {
	known, err := os.ReadFile(filepath.Join(q.repo, "shallow"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("shallow: %w", err)
	}
	lines := strings.Fields(string(known))
	for _, id := range shallow {
		if slices.Contains(lines, id) {
			continue
		}
		if _, err := q.repos.output(ctx, child{dir: q.repo, args: []string{"cat-file", "-e", id}}); err != nil {
			lines = append(lines, id)
		}
	}
	return writeShallow(q.shallowFile(), lines)
}

func (q *quarantine) shallowFile() string { return filepath.Join(q.dir, "shallow") }

// writeShallow writes a shallow file, in place of the old one in one step. No lines, no file.
func writeShallow(path string, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	temporary := path + ".lock"
	err := os.WriteFile(temporary, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return fmt.Errorf("shallow: %w", err)
	}
	return nil
}

// connected checks that everything the tip needs is there, in the quarantine or reachable in the repository.
func (q *quarantine) connected(ctx context.Context, tip string) error {
	env := []string{"GIT_OBJECT_DIRECTORY=" + filepath.Join(q.dir, "objects")}
	if _, err := os.Stat(q.shallowFile()); err == nil {
		env = append(env, "GIT_SHALLOW_FILE="+q.shallowFile())
	}
	_, err := q.repos.output(ctx, child{dir: q.repo, env: env, stdin: strings.NewReader(tip + "\n"),
		args: []string{"rev-list", "--objects", "--stdin", "--not", "--all", "--quiet"}})
	if err != nil {
		return fmt.Errorf("connectivity: %w", err)
	}
	return nil
}

// kind is the type of an object: "commit", "tree", "blob", "tag".
func (q *quarantine) kind(ctx context.Context, id string) (string, error) {
	out, err := q.repos.output(ctx, child{dir: q.dir, args: []string{"cat-file", "-t", id}})
	return strings.TrimSpace(out), err
}

// release gives the objects to the repository by hard links, a pack's index last: git sees a pack by its index. The
// quarantine stays whole for those who still read it.
func (q *quarantine) release() error {
	to := filepath.Join(q.repo, "objects/pack")
	for _, suffix := range []string{".pack", ".rev", ".idx"} {
		files, err := filepath.Glob(filepath.Join(q.dir, "objects/pack/pack-*"+suffix))
		if err != nil {
			return fmt.Errorf("release objects: %w", err)
		}
		for _, file := range files {
			if err := os.Link(file, filepath.Join(to, filepath.Base(file))); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("release objects: %w", err)
			}
		}
	}
	pack, err := os.Open(to)
	if err != nil {
		return fmt.Errorf("release objects: %w", err)
	}
	defer pack.Close()
	if err := pack.Sync(); err != nil {
		return fmt.Errorf("release objects: %w", err)
	}
	return q.releaseShallow()
}

// releaseShallow merges the quarantine's shallow commits into the repository's.
func (q *quarantine) releaseShallow() error {
	ours, err := os.ReadFile(q.shallowFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	theirs, err2 := os.ReadFile(filepath.Join(q.repo, "shallow"))
	if err != nil || err2 != nil && !errors.Is(err2, fs.ErrNotExist) {
		return fmt.Errorf("shallow: %w", errors.Join(err, err2))
	}
	lines := append(strings.Fields(string(theirs)), strings.Fields(string(ours))...)
	slices.Sort(lines)
	return writeShallow(filepath.Join(q.repo, "shallow"), slices.Compact(lines))
}
