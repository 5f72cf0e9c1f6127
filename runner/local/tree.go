package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"boathook/runner"
)

// copyTree copies the directory src to dst, which must not exist. Files, directories with their permission
// bits and symbolic links are copied, hard links become files of their own, and anything else
// (sockets, pipes, devices) is left out. Links are copied as they are, whatever they point to.
func copyTree(ctx context.Context, dst, src string) error {
	var modes []func() error // of the directories, last to first: a read-only one is filled before
	err := filepath.WalkDir(src, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(src, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dst, rel)
		switch entry.Type() {
		case fs.ModeDir:
			info, err := entry.Info()
			if err != nil {
				return err
			}
			modes = append(modes, func() error { return os.Chmod(to, info.Mode().Perm()) })
			return os.Mkdir(to, 0o700)
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(target, to)
		case 0:
			return copyFile(to, path)
		}
		return nil
	})
	for i := len(modes) - 1; i >= 0 && err == nil; i-- {
		err = modes[i]()
	}
	if err != nil {
		return fmt.Errorf("copy image: %w", err)
	}
	return nil
}

func copyFile(dst, src string) (err error) {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if info.Mode()&0o111 != 0 {
		// A child that is forked while out is open holds it until its own exec, and to run the copy
		// meanwhile is ETXTBSY (golang.org/issue/22315). So nothing is forked meanwhile.
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
	}
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := out.Close(); err == nil {
			err = cerr
		}
	}()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Chmod(info.Mode().Perm())
}

// removeTree is os.RemoveAll that also removes what lies in directories without write permission, and what is written meanwhile.
func removeTree(dir string) error {
	err := os.RemoveAll(dir)
	for tries := 0; errors.Is(err, syscall.ENOTEMPTY) && tries < 10; tries++ { // the record of a process that has just ended, for one
		err = os.RemoveAll(dir)
	}
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	walk := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if entry != nil && entry.IsDir() {
			// WalkDir calls again with the error of reading the directory that this makes readable.
			return os.Chmod(path, 0o700)
		}
		return err
	})
	return errors.Join(walk, os.RemoveAll(dir))
}

// checkImage tells whether ref is a directory that can be copied.
func checkImage(ref string) error {
	if !filepath.IsAbs(ref) {
		return fmt.Errorf("image %q of the local engine is not an absolute path", ref)
	}
	info, err := os.Stat(ref)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("image %s: %w", ref, runner.ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("image: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("image %s of the local engine is not a directory", ref)
	}
	return nil
}
