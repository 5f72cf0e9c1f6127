package builder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// localSandbox runs phases on the host, as the user who runs boathook: it separates files, and isolates nothing.
//
//	DIR/builds/APP-DEPLOYMENT/{build,env,packs,tmp}   while building
//	DIR/cache/APP                                     kept
//	DIR/images/APP-DEPLOYMENT                         the image: the app directory and .boathook/launch
type localSandbox struct {
	root  string
	image string
	paths layout
}

// newLocalSandbox makes the directories and unpacks the source.
func (b *Build) newLocalSandbox(ctx context.Context, req Request, src *Source) (_ *localSandbox, err error) {
	name := req.App + "-" + req.Deployment
	root := filepath.Join(b.cfg.Dir, "builds", name)
	s := &localSandbox{
		root: root, image: filepath.Join(b.cfg.Dir, "images", name),
		paths: layout{
			build: filepath.Join(root, "build"), env: filepath.Join(root, "env"),
			packs: filepath.Join(root, "packs"), tmp: filepath.Join(root, "tmp"),
			cache: filepath.Join(b.cfg.Dir, "cache", req.App), path: os.Getenv("PATH"), authorities: b.cfg.CAFile,
		},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeTree(root))
		}
	}()
	if err := removeTree(root); err != nil { // of a boathook that crashed
		return nil, err
	}
	for _, dir := range []string{s.paths.build, s.paths.env, s.paths.packs, s.paths.tmp, s.paths.cache} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("build directory: %w", err)
		}
	}
	stream, err := src.Open(ctx, TarOptions{UID: os.Getuid()})
	if err != nil {
		return nil, err
	}
	err = put(ctx, s, s.paths.build, stream, "", nil)
	if err = errors.Join(err, stream.Close()); err != nil {
		return nil, fmt.Errorf("unpack source: %w", err)
	}
	return s, nil
}

func (s *localSandbox) layout() layout { return s.paths }

// exec runs c in a process group of its own, and kills what is left of the group when c has ended.
func (s *localSandbox) exec(ctx context.Context, c command) (int, error) {
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Dir, cmd.Env = c.dir, c.env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.stdin, c.stdout, c.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second
	err := cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // ESRCH is the usual answer: nothing is left
	}
	if ctx.Err() != nil {
		return 0, fmt.Errorf("%s: %w", c.argv[0], context.Cause(ctx))
	}
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return 0, nil
	case errors.As(err, &exit):
		return exitStatus(exit), nil
	}
	return 0, err
}

// exitStatus is the shell's: 128+n for a signal n.
func exitStatus(e *exec.ExitError) int {
	if w, ok := e.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return e.ExitCode()
}

// outOfMemory: there is no limit on the host.
func (s *localSandbox) outOfMemory(context.Context) bool { return false }

func (s *localSandbox) finish(_ context.Context, _ map[string]string) (Image, error) {
	if err := writeLauncher(s.paths.build); err != nil {
		return Image{}, err
	}
	size, err := treeSize(s.paths.build)
	if err != nil {
		return Image{}, err
	}
	if err := errors.Join(removeTree(s.image), os.Chmod(s.paths.build, 0o755)); err != nil {
		return Image{}, fmt.Errorf("image: %w", err)
	}
	if err := os.Rename(s.paths.build, s.image); err != nil {
		return Image{}, fmt.Errorf("image: %w", err)
	}
	return Image{Ref: s.image, Launcher: []string{"{image}/.boathook/launch"}, Size: size}, nil
}

// writeLauncher puts .boathook/launch into dir, whatever the source has of that name.
func writeLauncher(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("launcher: %w", err)
	}
	defer root.Close()
	err = root.RemoveAll(".boathook")
	err = errors.Join(err, root.Mkdir(".boathook", 0o755))
	err = errors.Join(err, root.WriteFile(".boathook/launch", launcher("/usr/bin/env bash"), 0o755))
	if err != nil {
		return fmt.Errorf("launcher: %w", err)
	}
	return nil
}

// size leaves out what vanishes while it is looked at.
func (s *localSandbox) size(context.Context) (size int64, err error) {
	err = filepath.WalkDir(s.root, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			size += info.Size()
		}
		return nil
	})
	return size, err
}

func (s *localSandbox) discard(context.Context) error {
	killStrays("TMPDIR=" + s.paths.tmp)
	return removeTree(s.root)
}

// removeLocalImage removes an image directory, and nothing that is not one.
func (b *Build) removeLocalImage(ref string) error {
	if filepath.Dir(ref) != filepath.Join(b.cfg.Dir, "images") || !filepath.IsLocal(filepath.Base(ref)) {
		return fmt.Errorf("remove image: %q is not an image of this builder", ref)
	}
	return removeTree(ref)
}

// removeTree is os.RemoveAll that copes with read-only directories (Go's module cache makes them).
func removeTree(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	walk := func(name string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			return os.Chmod(name, 0o700)
		}
		return err
	}
	return errors.Join(filepath.WalkDir(dir, walk), os.RemoveAll(dir))
}

// treeSize adds up the regular files below dir, in bytes.
func treeSize(dir string) (int64, error) {
	var size int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("image size: %w", err)
	}
	return size, nil
}
