package gitpack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/docker/go-units"
)

var errFull = errors.New("the repository is full")

// makeRoom refuses a push into a repository that is at its size limit. What nothing names any more, a branch that was
// forced elsewhere for one, is dropped first.
func (r *Repos) makeRoom(ctx context.Context, app string) error {
	objects := filepath.Join(r.Path(app), "objects")
	held, err := sizeOf(objects)
	if err != nil || held < r.limits.RepositorySize {
		return err
	}
	r.tidy(ctx, app)
	if held, err = sizeOf(objects); err != nil || held < r.limits.RepositorySize {
		return err
	}
	return refusal{
		reason: fmt.Sprintf("the repository of %s is full, it may hold %s: push a history without large files to a new app, or ask this server's operator for more",
			app, units.BytesSize(float64(r.limits.RepositorySize))),
		err: errFull,
	}
}

// tidy repacks, unless another push is going on, or there is but one pack, which holds what a repack would leave.
func (r *Repos) tidy(ctx context.Context, app string) {
	repo := r.repository(app)
	repo.mu.Lock()
	defer repo.mu.Unlock()
	if repo.active > 1 || r.packs(app) < 2 {
		return
	}
	r.repack(ctx, app)
}

// sizeOf is how many bytes the files below dir have. What disappears meanwhile is not counted.
func sizeOf(dir string) (int64, error) {
	var size int64
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = entry.Info(); err == nil {
				size += info.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("size of the repository: %w", err)
	}
	return size, nil
}
