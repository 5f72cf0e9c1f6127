package builder

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"golang.org/x/sync/errgroup"
)

// maxReadFile bounds what ReadFile returns, in bytes.
const maxReadFile = 1 << 20

// exportAttributes make an archive hold every file exactly as committed. $GIT_DIR/info/attributes wins over any
// .gitattributes of the tree (gitattributes(5)); without it export-ignore would drop files silently.
const exportAttributes = "* -export-ignore -export-subst -text -ident -filter -working-tree-encoding\n"

var objectIDPattern = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// Source is the tree of one commit, or of its PROJECT_DIR, within the limits. Close it.
type Source struct {
	Commit     string
	Tree       string    // object id of the (sub)tree
	Time       time.Time // of the commit; every file gets it
	Files      int       // entries, directories included
	Size       int64     // bytes of all files
	Submodules []string  // paths; they become empty directories

	git  gitRunner
	root map[string]treeEntry // what lies directly in Tree; nil until the tree has been measured
}

// place says where a source is.
type place struct {
	gitDir, commit string
	dir            string // below the root; "" is the root
	scratch        string // for what reading needs on disk; "" is the system's directory for temporary files
}

// openSource reads a commit and checks its tree against limits without unpacking it. A tree bomb is left after
// limits.SourceFiles entries. What is wrong with the tree is a *Failure.
func openSource(ctx context.Context, at place, limits Limits) (*Source, error) {
	if !objectIDPattern.MatchString(at.commit) {
		return nil, fmt.Errorf("%q is not an object id", at.commit)
	}
	scratch, err := scratchRepository(at.scratch)
	if err != nil {
		return nil, err
	}
	s := &Source{Commit: at.commit, git: gitRunner{dir: scratch, objects: filepath.Join(at.gitDir, "objects")}}
	if err := s.look(ctx, strings.Trim(path.Clean("/"+at.dir), "/"), limits); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// look finds out what is in the commit, or in a directory of it. For the whole commit nothing needs to be known before its tree is read.
func (s *Source) look(ctx context.Context, dir string, limits Limits) error {
	if dir != "" {
		if err := s.resolve(ctx); err != nil {
			return err
		}
		if err := s.descend(ctx, dir); err != nil {
			return err
		}
		return s.measure(ctx, s.Tree, limits)
	}
	var looks errgroup.Group
	looks.Go(func() error { return s.resolve(ctx) })
	looks.Go(func() error { return s.measure(ctx, s.Commit, limits) })
	return looks.Wait()
}

// scratchRepository makes an empty git directory whose only purpose is its attributes: the objects are another's.
func scratchRepository(parent string) (string, error) {
	dir, err := os.MkdirTemp(parent, "boathook-source-")
	if err != nil {
		return "", fmt.Errorf("source: %w", err)
	}
	for _, sub := range []string{"refs", "objects", "info"} {
		err = errors.Join(err, os.Mkdir(filepath.Join(dir, sub), 0o700))
	}
	for name, text := range map[string]string{
		"HEAD":            "ref: refs/heads/none\n",
		"config":          "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
		"info/attributes": exportAttributes,
	} {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("source: %w", err), os.RemoveAll(dir))
	}
	return dir, nil
}

// resolve finds the tree and the time of the commit.
func (s *Source) resolve(ctx context.Context) error {
	out, err := s.git.output(ctx, "log", "-1", "--format=%T %ct", s.Commit)
	if err != nil {
		return err
	}
	tree, seconds, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return fmt.Errorf("time of commit %s: %w", s.Commit, err)
	}
	s.Tree, s.Time = tree, time.Unix(unix, 0)
	return nil
}

// descend makes a directory of the tree the whole of it.
func (s *Source) descend(ctx context.Context, dir string) error {
	e, err := s.entry(ctx, dir)
	if ctx.Err() != nil {
		return err
	}
	if err != nil || e.mode != "040000" {
		return &Failure{Summary: fmt.Sprintf("PROJECT_DIR is %q, but the commit has no such directory", dir), Err: err}
	}
	s.Tree = e.id
	return nil
}

// measure walks a tree, or that of a commit, once, counting and checking names, and remembers the root's entries.
func (s *Source) measure(ctx context.Context, tree string, limits Limits) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var stderr bytes.Buffer
	cmd := s.git.command(ctx, "ls-tree", "-r", "-t", "-l", "-z", "--full-tree", tree)
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("git ls-tree: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("git ls-tree: %w", err)
	}
	if err := s.count(stdout, limits); err != nil {
		stop()
		_ = cmd.Wait() // killed: what it says is of no interest
		return err
	}
	if err := cmd.Wait(); err != nil {
		return gitError(ctx, "ls-tree", err, stderr.Bytes())
	}
	return nil
}

// count reads records "mode kind id size\tpath\0".
func (s *Source) count(r io.Reader, limits Limits) error {
	s.root = map[string]treeEntry{}
	records := bufio.NewScanner(r)
	records.Split(splitNUL)
	for records.Scan() {
		meta, name, _ := strings.Cut(records.Text(), "\t")
		if err := checkName(name); err != nil {
			return err
		}
		e, err := parseEntry(meta)
		if err != nil {
			return err
		}
		if e.kind == "commit" {
			s.Submodules = append(s.Submodules, name)
		}
		if !strings.Contains(name, "/") {
			s.root[name] = e
		}
		s.Size += e.size
		s.Files++
		switch {
		case s.Files > limits.SourceFiles:
			return &Failure{Summary: fmt.Sprintf("The source tree has more than %d files and directories", limits.SourceFiles)}
		case s.Size > limits.SourceSize:
			return &Failure{Summary: fmt.Sprintf("The source tree is larger than %s unpacked", units.HumanSize(float64(limits.SourceSize)))}
		}
	}
	if err := records.Err(); err != nil {
		return fmt.Errorf("git ls-tree: %w", err)
	}
	return nil
}

// checkName refuses a path that could lead out of the directory it is unpacked into, or into a .git.
func checkName(name string) error {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." || strings.EqualFold(part, ".git") || len(part) > 255 {
			return &Failure{Summary: fmt.Sprintf("The source tree has a file with the forbidden name %q", name)}
		}
	}
	return nil
}

// Has tells whether the tree has an entry of that path.
func (s *Source) Has(ctx context.Context, name string) (bool, error) {
	_, err := s.entry(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// ReadFile returns a file's content, fs.ErrNotExist where there is no regular file of that name, and an error
// above 1 MiB. It does not follow symbolic links.
func (s *Source) ReadFile(ctx context.Context, name string) ([]byte, error) {
	e, err := s.entry(ctx, name)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(e.mode, "100") {
		return nil, fmt.Errorf("%s is not a regular file: %w", name, fs.ErrNotExist)
	}
	if e.size > maxReadFile {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", name, e.size, maxReadFile)
	}
	return s.git.output(ctx, "cat-file", "blob", e.id)
}

// treeEntry is one line of git ls-tree.
type treeEntry struct {
	mode, kind, id string // kind is blob, tree or commit
	size           int64  // bytes; 0 for what is no blob
}

// parseEntry reads "mode kind id size"; size is "-" for what is no blob.
func parseEntry(meta string) (treeEntry, error) {
	fields := strings.Fields(meta)
	if len(fields) != 4 {
		return treeEntry{}, fmt.Errorf("git ls-tree: unexpected record %q", meta)
	}
	e := treeEntry{mode: fields[0], kind: fields[1], id: fields[2]}
	if fields[3] == "-" {
		return e, nil
	}
	var err error
	if e.size, err = strconv.ParseInt(fields[3], 10, 64); err != nil {
		return treeEntry{}, fmt.Errorf("git ls-tree: unexpected record %q", meta)
	}
	return e, nil
}

// entry looks a path up in the tree.
func (s *Source) entry(ctx context.Context, name string) (treeEntry, error) {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if s.root != nil && !strings.Contains(name, "/") { // a process less
		e, ok := s.root[name]
		if !ok {
			return treeEntry{}, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
		return e, nil
	}
	out, err := s.git.output(ctx, "--literal-pathspecs", "ls-tree", "-l", "-z", "--full-tree", s.Tree, "--", name)
	if err != nil {
		return treeEntry{}, err
	}
	meta, _, found := strings.Cut(string(out), "\t")
	if !found {
		return treeEntry{}, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return parseEntry(meta)
}

// Close removes what reading the tree needed on disk.
func (s *Source) Close() error { return os.RemoveAll(s.git.dir) }

// splitNUL is a bufio.SplitFunc for records that end in a NUL.
func splitNUL(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
