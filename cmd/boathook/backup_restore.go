package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"boathook/receive/state"
)

const restoreUsage = `boathook restore [-data DIR] FILE     ("-" is standard input)
  make the data directory DIR, which must be empty, of an archive by 'boathook backup'.
  Run it as the user that runs boathook. Images of apps are not in an archive: where the engine
  does not have them any more, an app is down until its next push, for which
  'git commit --allow-empty' makes a commit.
`

// restore is `boathook restore`.
func restore(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	data, file, err := archiveArgs(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, restoreUsage)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "boathook: %v\n%s", err, restoreUsage)
		return 2
	case file == "-":
		err = readBackup(ctx, stdin, data)
	default:
		err = restoreFile(ctx, file, data)
	}
	if err != nil {
		fmt.Fprintln(stderr, "boathook: restore:", err)
		return 1
	}
	fmt.Fprintf(stdout, "%s is restored: start it with 'boathook serve -data %s'\n", data, data)
	return 0
}

func restoreFile(ctx context.Context, path, data string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return readBackup(ctx, file, data)
}

// readBackup makes the data directory of an archive: all of it, or nothing. The database comes last: a directory with a key and no
// database does not serve, so that half of a restoration that was killed is not taken for a new directory.
func readBackup(ctx context.Context, r io.Reader, data string) (err error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	if err := wantEmpty(ctx, data); err != nil {
		return err
	}
	lock, err := lockData(ctx, data, false)
	if err != nil {
		return err
	}
	fresh := filepath.Join(data, "restore.new")
	defer func() {
		if err != nil {
			err = errors.Join(err, takeBack(data))
		}
		err = errors.Join(err, os.RemoveAll(fresh), lock.Close())
	}()
	if err := privateDir(data); err != nil {
		return err
	}
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return err
	}
	if err := unpack(ctx, r, fresh); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(fresh, "boathook.db")); err != nil {
		return errors.New("the archive holds no database: take another one")
	}
	store, err := state.Open(ctx, filepath.Join(fresh, "boathook.db")) // refused if it is damaged, or the key is not its own
	if err != nil {
		return err
	}
	if err := store.Close(); err != nil {
		return err
	}
	return moveAll(fresh, data)
}

// wantEmpty refuses a directory that has something in it.
func wantEmpty(ctx context.Context, data string) error {
	entries, err := os.ReadDir(data)
	if err != nil {
		return err
	}
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return e.Name() == "lost+found" })
	if len(entries) == 0 {
		return nil
	}
	if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == "lock" }) {
		lock, err := lockData(ctx, data, false)
		if err != nil {
			return err
		}
		if err := lock.Close(); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s is not empty: move it away, or name another directory with -data", data)
}

// takeBack removes what a restoration has put into the directory.
func takeBack(data string) error {
	var errs []error
	for _, name := range append([]string{"lock"}, archived...) {
		errs = append(errs, os.RemoveAll(filepath.Join(data, name)))
	}
	return errors.Join(errs...)
}

// unpack reads an archive into a directory, and nothing beside it.
func unpack(ctx context.Context, r io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	zip, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("this is no archive by 'boathook backup': %w", err)
	}
	archive := tar.NewReader(zip)
	if err := unpackManifest(archive); err != nil {
		return err
	}
	for {
		head, err := archive.Next()
		if err == io.EOF {
			// What follows the last entry has the checksum.
			if _, err = io.Copy(io.Discard, zip); err != nil {
				return damaged(err)
			}
			return syncAll(dir)
		}
		if err == nil && ctx.Err() != nil {
			err = errStopped
		}
		if err == nil {
			err = unpackEntry(root, archive, head)
		}
		if err != nil {
			return damaged(err)
		}
	}
}

// damaged says what to do about an archive that ends too early.
func damaged(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, tar.ErrHeader) {
		return fmt.Errorf("the archive is damaged or cut off (%w): take another one", err)
	}
	return err
}

func unpackManifest(archive *tar.Reader) error {
	head, err := archive.Next()
	if err != nil || head.Name != manifestName {
		return fmt.Errorf("this is no archive by 'boathook backup': it does not begin with %s", manifestName)
	}
	var m manifest
	if err := json.NewDecoder(io.LimitReader(archive, 1<<20)).Decode(&m); err != nil {
		return damaged(err)
	}
	if m.Format < 1 || m.Format > formatNow {
		return fmt.Errorf("the archive has format %d, made by boathook %s, and this boathook knows formats up to %d: restore it with a newer one", m.Format, m.Boathook, formatNow)
	}
	return nil
}

func unpackEntry(root *os.Root, archive io.Reader, head *tar.Header) error {
	name := filepath.FromSlash(strings.TrimSuffix(head.Name, "/"))
	top, _, _ := strings.Cut(name, string(filepath.Separator))
	if !filepath.IsLocal(name) || !slices.Contains(archived, top) {
		return fmt.Errorf("%q does not belong into a data directory: the archive is not one by 'boathook backup'", head.Name)
	}
	switch head.Typeflag {
	case tar.TypeDir:
		return root.Mkdir(name, 0o700)
	case tar.TypeReg:
		return unpackFile(root, archive, name, os.FileMode(head.Mode)&0o700)
	}
	return fmt.Errorf("%q is neither a file nor a directory: the archive is not one by 'boathook backup'", head.Name)
}

func unpackFile(root *os.Root, archive io.Reader, name string, mode os.FileMode) error {
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, archive)
	return errors.Join(err, file.Sync(), file.Close())
}

// moveAll moves what lies in one directory to another, the database last.
func moveAll(from, to string) error {
	for _, name := range slices.Backward(archived) { // of which the database is the first
		err := os.Rename(filepath.Join(from, name), filepath.Join(to, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := syncDir(to); err != nil {
			return err
		}
	}
	return nil
}

// syncAll waits until the directories below dir are on disk; their files are.
func syncAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		return syncDir(path)
	})
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
