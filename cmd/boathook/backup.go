package main

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"boathook/receive/state"
)

const backupUsage = `boathook backup [-data DIR] FILE      ("-" is standard output)
  write an archive of the data directory to FILE, while boathook serves or while it does not:
  the database, the key to the variables, the repositories, the host keys and the certificates obtained by ACME.
  Whoever has the file can read everything: it is for its owner alone (mode 0600).
  Images and the apps' logs are not in it; 'boathook restore' says what that means.
`

// backup is `boathook backup`.
func backup(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	data, file, err := archiveArgs(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, backupUsage)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "boathook: %v\n%s", err, backupUsage)
		return 2
	case file == "-":
		err = writeBackup(ctx, data, stdout)
	default:
		err = backupFile(ctx, data, file)
	}
	if err != nil {
		fmt.Fprintln(stderr, "boathook: backup:", err)
		return 1
	}
	return 0
}

// archiveArgs reads the arguments of backup and restore.
func archiveArgs(args []string) (data, file string, err error) {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&data, "data", cmp.Or(os.Getenv("BOATHOOK_DATA"), defaultData()), "")
	if err := flags.Parse(args); err != nil {
		return "", "", err
	}
	if flags.NArg() != 1 {
		return "", "", errors.New("name one archive")
	}
	data, err = filepath.Abs(data)
	return data, flags.Arg(0), err
}

// backupFile writes the archive so that the path holds a whole one, or what it held before.
func backupFile(ctx context.Context, data, path string) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".backup-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // gone already if all went well
	err = writeBackup(ctx, data, file)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// manifest is the first file of an archive, which is a tar file in gzip. Its other entries are files and directories, named as in the
// data directory.
type manifest struct {
	Format   int    `json:"format"` // 1
	Boathook string `json:"boathook"`
}

const (
	manifestName = "boathook-backup.json"
	formatNow    = 1
)

// archived is what of the data directory is in an archive. The rest is made again: sockets, locks, caches, images.
var archived = []string{"boathook.db", "secrets.key", "namespace", "host-keys", "certificates", "repositories"}

// writeBackup writes the archive to w. What is in it is consistent, although boathook serves and pushes come in:
//
// The database is copied first, then the repositories. A push has its objects in the repository before its branch moves, and both
// before the database knows the deployment as a success (deploy.switchOver); so the objects of every success in the copy are
// there when the repository is read. Its branches may have moved on by then, hence those of the archive are taken from the copy:
// each is at the commit of its last success, where Recover would put it as well. Of a push that lands in between, the archive
// has neither the deployment nor the branch. Objects go away only in a repack after a branch was forced back, and with the app: so
// each repository is checked once it is collected, and what misses something is collected again.
func writeBackup(ctx context.Context, data string, w io.Writer) error {
	if _, err := os.Stat(filepath.Join(data, "boathook.db")); err != nil {
		return fmt.Errorf("there is no data directory of boathook's: %w: name it with -data", err)
	}
	stage, err := openStage(data)
	if err != nil {
		return err
	}
	err = collect(ctx, data, stage.dir)
	if err == nil {
		err = pack(ctx, stage.dir, w)
	}
	return errors.Join(err, stage.close())
}

// stage is a directory on the file system of the data, so that files get there by hard link where they can.
type stage struct {
	dir  string
	lock *os.File // the data directory
}

// openStage makes the stage. One that a dead backup left is removed.
func openStage(data string) (*stage, error) {
	lock, err := os.Open(data)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errors.New("another backup is being made: wait for its end")
	}
	s := &stage{dir: filepath.Join(data, "backup.new"), lock: lock}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if err := errors.Join(os.RemoveAll(s.dir), os.Mkdir(s.dir, 0o700)); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

func (s *stage) close() error { return errors.Join(os.RemoveAll(s.dir), s.lock.Close()) }

// errStopped is how a backup or a restoration ends that was interrupted.
var errStopped = errors.New("interrupted")

// tries is how often a backup begins anew because an app was destroyed, or a repository repacked, under its hands.
const tries = 5

// collect puts into dir what the archive is to hold.
func collect(ctx context.Context, data, dir string) error {
	for try := 1; ; try++ {
		err := collectOnce(ctx, data, dir)
		if !errors.Is(err, errMoved) || try == tries || ctx.Err() != nil {
			return err
		}
		if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
			return err
		}
	}
}

func collectOnce(ctx context.Context, data, dir string) error {
	if err := state.Copy(ctx, filepath.Join(data, "boathook.db"), filepath.Join(dir, "boathook.db")); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	for _, name := range []string{"secrets.key", "namespace"} {
		if err := take(filepath.Join(data, name), filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := takeAll(filepath.Join(data, "host-keys"), filepath.Join(dir, "host-keys"), isHostKey); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := takeAll(certificates(data), certificates(dir), isCertificate); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return collectRepositories(ctx, data, dir)
}

// pack writes dir as an archive.
func pack(ctx context.Context, dir string, w io.Writer) error {
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed) // most of it is packed by git already
	if err != nil {
		return err
	}
	archive := tar.NewWriter(zip)
	if err := packManifest(archive); err != nil {
		return err
	}
	for _, name := range archived {
		err := filepath.WalkDir(filepath.Join(dir, name), func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			return packEntry(ctx, archive, path, name)
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // no namespace, for one
			return err
		}
	}
	return errors.Join(archive.Close(), zip.Close())
}

func packManifest(archive *tar.Writer) error {
	text, err := json.Marshal(manifest{Format: formatNow, Boathook: version()})
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Name: manifestName, Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(len(text))}); err != nil {
		return err
	}
	_, err = archive.Write(text)
	return err
}

func packEntry(ctx context.Context, archive *tar.Writer, path, name string) error {
	if err := ctx.Err(); err != nil {
		return errStopped
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	head := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: int64(info.Mode().Perm() & 0o700), Size: info.Size(), ModTime: info.ModTime()}
	if info.IsDir() {
		head.Name, head.Typeflag, head.Size = name+"/", tar.TypeDir, 0
		return archive.WriteHeader(head)
	}
	if err := archive.WriteHeader(head); err != nil {
		return err
	}
	_, err = io.Copy(archive, file)
	return err
}
