package gitpack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrBusy is returned by Rename while a push is going on.
var ErrBusy = errors.New("a push is going on")

// renamePrefix begins the name of a note that a repository is being renamed: the symbolic link ".rename-NEW" to "OLD". It is there from before the
// directory moves until the commit has succeeded or the directory is back, so a crash between the two can be made good.
const renamePrefix = ".rename-"

// Rename gives the repository of one app to another name, which must be free and stay so meanwhile. If commit, which makes the new name the
// app's, fails, the repository has its old name again and the error is commit's.
func (r *Repos) Rename(ctx context.Context, from, to string, commit func(context.Context) error) error {
	if !appName.MatchString(from) || !appName.MatchString(to) {
		return fmt.Errorf("rename repository %q to %q: %w", from, to, ErrName)
	}
	repo := r.repository(from)
	repo.mu.Lock()
	defer repo.mu.Unlock()
	if repo.active > 0 {
		return fmt.Errorf("rename repository: %w", ErrBusy)
	}
	note := filepath.Join(r.dir, renamePrefix+to)
	if err := os.Symlink(from, note); err != nil {
		return fmt.Errorf("rename repository: %w", err)
	}
	moved, err := r.move(from, to)
	if err == nil {
		err = commit(ctx)
	}
	if err == nil {
		if left := os.Remove(note); left != nil { // the app has its new name all the same
			r.log.Error("note of a renamed repository not removed", "app", to, "err", left)
		}
		return nil
	}
	if moved {
		if _, back := r.move(to, from); back != nil { // FinishRenames needs the note
			return errors.Join(err, back)
		}
	}
	return errors.Join(err, os.Remove(note))
}

// move returns when a power cut cannot take it back: the database must not know a name sooner than the disk. With an error, moved tells whether
// the repository has the new name nevertheless.
func (r *Repos) move(from, to string) (moved bool, err error) {
	if err := os.Rename(r.Path(from), r.Path(to)); err != nil {
		return false, fmt.Errorf("rename repository: %w", err)
	}
	dir, err := os.Open(r.dir)
	if err != nil {
		return true, fmt.Errorf("rename repository: %w", err)
	}
	return true, errors.Join(dir.Sync(), dir.Close())
}

// FinishRenames brings the repositories that a crash caught in a Rename to where their apps are: exists tells whether there is an app of a name.
// Call it before anybody else uses the repositories.
func (r *Repos) FinishRenames(ctx context.Context, exists func(ctx context.Context, app string) (bool, error)) error {
	notes, err := filepath.Glob(filepath.Join(r.dir, renamePrefix+"*"))
	if err != nil {
		return fmt.Errorf("finish renames: %w", err)
	}
	for _, note := range notes {
		if err := r.finishRename(ctx, note, exists); err != nil {
			return fmt.Errorf("finish renames: %w", err)
		}
	}
	return nil
}

func (r *Repos) finishRename(ctx context.Context, note string, exists func(context.Context, string) (bool, error)) error {
	from, err := os.Readlink(note)
	if err != nil {
		return err
	}
	to := strings.TrimPrefix(filepath.Base(note), renamePrefix)
	if !appName.MatchString(from) || !appName.MatchString(to) {
		return fmt.Errorf("%s names no repositories: remove it", note)
	}
	back, err := exists(ctx, from)
	if err != nil {
		return err
	}
	if back {
		from, to = to, from
	}
	// It may not have moved yet, or have been back already.
	if _, err := os.Stat(r.Path(from)); err == nil {
		if _, err := os.Stat(r.Path(to)); errors.Is(err, fs.ErrNotExist) {
			if _, err := r.move(from, to); err != nil {
				return err
			}
		}
	}
	return os.Remove(note)
}
