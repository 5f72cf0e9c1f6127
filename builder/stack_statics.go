package builder

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
)

// maxProgram bounds a program that is copied into the tiny image, in bytes.
const maxProgram = 64 << 20

// debianStatics fetches the packages busybox-static and bash-static with apt-get download, which needs no root and
// installs nothing. Package lists are only brought up to date if the first attempt does not find the packages.
func debianStatics(ctx context.Context) (*rootFS, error) {
	for _, tool := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("this machine has no %s", tool)
		}
	}
	dir, err := os.MkdirTemp("", "boathook-stack-")
	if err != nil {
		return nil, fmt.Errorf("stack: %w", err)
	}
	fs, err := staticsFromPackages(ctx, dir)
	return fs, errors.Join(err, os.RemoveAll(dir))
}

func staticsFromPackages(ctx context.Context, dir string) (*rootFS, error) {
	download := []string{"apt-get", "download", "-q", "busybox-static", "bash-static"}
	_, err := runIn(ctx, dir, download...)
	if err != nil && ctx.Err() == nil {
		_, updateErr := runIn(ctx, dir, "apt-get", "update", "-q")
		if _, err = runIn(ctx, dir, download...); err != nil {
			return nil, errors.Join(err, updateErr)
		}
	}
	if err != nil {
		return nil, err
	}
	packages, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return nil, fmt.Errorf("stack: %w", err)
	}
	programs := map[string][]byte{}
	for _, deb := range packages {
		files, err := runIn(ctx, dir, "dpkg-deb", "--fsys-tarfile", deb)
		if err != nil {
			return nil, err
		}
		if err := pickPrograms(bytes.NewReader(files), programs); err != nil {
			return nil, err
		}
	}
	return staticRoot(ctx, programs["busybox"], programs["bash-static"])
}

// pickPrograms keeps the regular files of a package that lie in a bin directory, by their base name.
func pickPrograms(archive io.Reader, programs map[string][]byte) error {
	t := tar.NewReader(archive)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("package: %w", err)
		}
		if h.Typeflag != tar.TypeReg || path.Base(path.Dir(h.Name)) != "bin" || h.Size > maxProgram {
			continue
		}
		data, err := io.ReadAll(t)
		if err != nil {
			return fmt.Errorf("package: %w", err)
		}
		programs[path.Base(h.Name)] = data
	}
}

// hostStatics takes busybox and bash of this machine, if both are linked statically.
func hostStatics(ctx context.Context) (*rootFS, error) {
	busybox, err := readStatic("busybox")
	if err != nil {
		return nil, err
	}
	bash, err := readStatic("bash-static", "bash")
	if err != nil {
		return nil, err
	}
	return staticRoot(ctx, busybox, bash)
}

// readStatic reads the first of the programs in PATH that needs no loader.
func readStatic(names ...string) ([]byte, error) {
	for _, name := range names {
		file, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if p, err := readELF(file); err != nil || p.loader != "" || len(p.needs) > 0 {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("stack: %w", err)
		}
		return data, nil
	}
	return nil, fmt.Errorf("this machine has no static %s", names[0])
}

// staticRoot lays out two static programs. busybox is run once here to ask for its applets.
func staticRoot(ctx context.Context, busybox, bash []byte) (*rootFS, error) {
	if len(busybox) == 0 || len(bash) == 0 {
		return nil, errors.New("the packages lack bin/busybox or bin/bash-static")
	}
	dir, err := os.MkdirTemp("", "boathook-stack-")
	if err != nil {
		return nil, fmt.Errorf("stack: %w", err)
	}
	list, err := listApplets(ctx, dir, busybox)
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
		return nil, err
	}
	fs := newRootFS()
	fs.file("/bin/busybox", 0o755, busybox)
	fs.file("/bin/bash", 0o755, bash)
	return fs, fs.linkApplets(list)
}

func listApplets(ctx context.Context, dir string, busybox []byte) ([]byte, error) {
	if err := os.WriteFile(filepath.Join(dir, "busybox"), busybox, 0o700); err != nil {
		return nil, fmt.Errorf("stack: %w", err)
	}
	return runIn(ctx, dir, filepath.Join(dir, "busybox"), "--list")
}

// runIn runs a program in dir and returns its output; an error has the last line of what it said.
func runIn(ctx context.Context, dir string, argv ...string) ([]byte, error) {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, limitWriter(&said, 4096)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C"}
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy"} {
		if value, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(argv[0]), err, lastLine(said.String()))
	}
	return out.Bytes(), nil
}
