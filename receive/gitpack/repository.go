package gitpack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

var appName = regexp.MustCompile(`^[a-z0-9](?:-?[a-z0-9])*$`)

// repository is the state of one app's directory in this process.
type repository struct {
	mu     sync.Mutex // serialises whatever writes to the directory, git children included
	active int        // pushes that have a quarantine; guarded by mu
}

func (r *Repos) repository(app string) *repository {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.apps[app] == nil {
		r.apps[app] = &repository{}
	}
	return r.apps[app]
}

// Path is the app's git directory. It need not exist.
func (r *Repos) Path(app string) string { return filepath.Join(r.dir, app+".git") }

// config is all that a repository is configured with: the child's environment keeps every other file away.
const config = `[core]
	repositoryformatversion = 0
	bare = true
	logallrefupdates = false
	hooksPath = /dev/null
	fsync = committed,reference
[gc]
	auto = 0
[receive]
	denyCurrentBranch = ignore
[uploadpack]
	hideRefs = refs/hidden
`

// Create makes the app's repository. It is no error if it exists.
func (r *Repos) Create(ctx context.Context, app string) error {
	if !appName.MatchString(app) {
		return fmt.Errorf("create repository %q: %w", app, ErrName)
	}
	repo := r.repository(app)
	repo.mu.Lock()
	defer repo.mu.Unlock()
	dir := r.Path(app)
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err == nil {
		return nil
	}
	// Made beside its place and renamed, so that a crash leaves no half of a repository.
	temporary, err := os.MkdirTemp(r.dir, ".create-")
	if err != nil {
		return fmt.Errorf("create repository: %w", err)
	}
	defer os.RemoveAll(temporary)
	if _, err := r.output(ctx, child{args: []string{"init", "--quiet", "--bare", "--template=", "--initial-branch=master", temporary}}); err != nil {
		return fmt.Errorf("create repository: %w", err)
	}
	if err := os.WriteFile(filepath.Join(temporary, "config"), []byte(config), 0o600); err != nil {
		return fmt.Errorf("create repository: %w", err)
	}
	if err := os.Rename(temporary, dir); err != nil {
		return fmt.Errorf("create repository: %w", err)
	}
	return nil
}

// Remove deletes the app's repository. A missing one is no error.
func (r *Repos) Remove(_ context.Context, app string) error {
	if !appName.MatchString(app) {
		return fmt.Errorf("remove repository %q: %w", app, ErrName)
	}
	repo := r.repository(app)
	repo.mu.Lock()
	defer repo.mu.Unlock()
	if err := os.RemoveAll(r.Path(app)); err != nil {
		return fmt.Errorf("remove repository: %w", err)
	}
	return nil
}

// Head is the commit that ref (a full name) points to, forty zeros if there is none.
func (r *Repos) Head(ctx context.Context, app, ref string) (string, error) {
	refs, err := r.refs(ctx, app)
	if err != nil {
		return "", err
	}
	for _, known := range refs {
		if known.name == ref {
			return known.id, nil
		}
	}
	return ZeroID, nil
}

// SetHead moves ref from old to new, forty zeros meaning no ref, or returns ErrStale if it is not at old. It is for
// repairing a repository after a crash: the objects must be there already.
func (r *Repos) SetHead(ctx context.Context, app, ref, old, new string) error {
	repo := r.repository(app)
	repo.mu.Lock()
	defer repo.mu.Unlock()
	return r.updateRef(ctx, app, ref, old, new)
}

// updateRef is the compare-and-swap. The repository's lock is held.
func (r *Repos) updateRef(ctx context.Context, app, ref, old, new string) error {
	line := fmt.Sprintf("update %s\x00%s\x00%s\x00", ref, new, old)
	if new == ZeroID {
		line = fmt.Sprintf("delete %s\x00%s\x00", ref, old)
	}
	if old == new {
		line = fmt.Sprintf("verify %s\x00%s\x00", ref, old)
	}
	_, err := r.output(ctx, child{dir: r.Path(app), args: []string{"update-ref", "--stdin", "-z"}, stdin: strings.NewReader(line)})
	if err == nil {
		return nil
	}
	if now, headErr := r.Head(ctx, app, ref); headErr == nil && now != old {
		return ErrStale
	}
	return fmt.Errorf("update %s: %w", ref, err)
}

type reference struct{ id, name string }

func (r *Repos) refs(ctx context.Context, app string) ([]reference, error) {
	out, err := r.output(ctx, child{dir: r.Path(app), args: []string{"for-each-ref", "--format=%(objectname) %(refname)"}})
	if err != nil {
		return nil, fmt.Errorf("list refs: %w", err)
	}
	var refs []reference
	for line := range strings.Lines(out) {
		id, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		refs = append(refs, reference{id, name})
	}
	return refs, nil
}

// Sweep removes what a crash left: quarantines, half-made repositories, locks. Call it before the first push.
func (r *Repos) Sweep(context.Context) error {
	var errs []error
	for _, pattern := range []string{
		".create-*", "*.git/objects/" + quarantinePrefix + "*", "*.git/objects/pack/tmp_*", "*.git/objects/pack/.tmp-*",
		"*.git/*.lock", "*.git/refs/heads/*.lock",
	} {
		left, err := filepath.Glob(filepath.Join(r.dir, pattern))
		if err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
		for _, path := range left {
			errs = append(errs, os.RemoveAll(path))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	return nil
}

// enter registers a push; it waits while the repository is repacked.
func (r *Repos) enter(app string) {
	repo := r.repository(app)
	repo.mu.Lock()
	defer repo.mu.Unlock()
	repo.active++
}

// leave ends a push. The last one repacks when packs have gathered: with no push about, nothing that a quarantine
// borrows can disappear.
func (r *Repos) leave(ctx context.Context, app string) {
	repo := r.repository(app)
	repo.mu.Lock()
	defer repo.mu.Unlock()
	repo.active--
	if repo.active > 0 {
		return
	}
	if r.packs(app) >= r.limits.Packs {
		r.repack(ctx, app)
	}
}

func (r *Repos) packs(app string) int {
	packs, _ := filepath.Glob(filepath.Join(r.Path(app), "objects/pack/*.pack")) // fails of its pattern only
	return len(packs)
}

// repack makes one pack of everything that a ref names. The repository's lock is held, and no quarantine borrows from it.
func (r *Repos) repack(ctx context.Context, app string) {
	if _, err := r.output(ctx, child{dir: r.Path(app), args: []string{"repack", "-adq"}}); err != nil {
		r.log.Warn("repack", "app", app, "err", err)
	}
}
