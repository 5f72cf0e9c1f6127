package builder

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// hostTools are the commands that the tiny image gets when there is no busybox. Missing ones are left out.
var hostTools = []string{
	"awk", "basename", "cat", "chmod", "cp", "cut", "date", "dirname", "echo", "env", "expr", "false", "find", "grep", "gzip", "head",
	"id", "kill", "ln", "ls", "mkdir", "mktemp", "mv", "nc", "printf", "pwd", "readlink", "rm", "rmdir", "sed", "seq", "sleep", "sort",
	"stat", "tail", "tar", "tee", "test", "touch", "tr", "true", "tty", "uname", "uniq", "wc", "wget", "which", "xargs",
}

// neededTools are those without which no build works.
var neededTools = []string{"cat", "chmod", "env", "ls", "mkdir", "mv", "rm", "sleep", "tar"}

// hostPrograms copies bash and the usual tools of this machine with the shared libraries they need.
func hostPrograms(ctx context.Context) (*rootFS, error) {
	if _, err := exec.LookPath("bash"); err != nil {
		return nil, errors.New("this machine has no bash")
	}
	fs := newRootFS()
	for _, name := range append([]string{"bash"}, hostTools...) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		file, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if err := fs.copyProgram(file, "/bin/"+name); err != nil {
			return nil, err
		}
	}
	for _, name := range neededTools {
		if _, ok := fs.entries["/bin/"+name]; !ok {
			return nil, fmt.Errorf("this machine has no %s", name)
		}
	}
	return fs, nil
}

// elfFile is what the loader reads of a program or a library.
type elfFile struct {
	loader string   // path of the program interpreter, "" if there is none
	needs  []string // names of libraries
}

func readELF(file string) (elfFile, error) {
	f, err := elf.Open(file)
	if err != nil {
		return elfFile{}, fmt.Errorf("%s: %w", file, err)
	}
	defer f.Close() // only read: nothing can be lost
	var e elfFile
	if s := f.Section(".interp"); s != nil {
		data, err := s.Data()
		if err != nil {
			return elfFile{}, fmt.Errorf("%s: %w", file, err)
		}
		e.loader = strings.TrimRight(string(data), "\x00")
	}
	if f.Section(".dynamic") == nil {
		return e, nil
	}
	if e.needs, err = f.ImportedLibraries(); err != nil {
		return elfFile{}, fmt.Errorf("%s: %w", file, err)
	}
	return e, nil
}

// copyProgram copies a host's file, its loader and, in turn, the libraries it needs. A script is copied as it is.
func (fs *rootFS) copyProgram(file, name string) error {
	if _, done := fs.entries[path.Clean(name)]; done {
		return nil
	}
	data, err := readLimited(file)
	if err != nil {
		return err
	}
	fs.file(name, 0o755, data)
	if !strings.HasPrefix(string(data[:min(4, len(data))]), elf.ELFMAG) {
		return nil
	}
	e, err := readELF(file)
	if err != nil {
		return err
	}
	if e.loader != "" {
		if err := fs.copyProgram(e.loader, e.loader); err != nil {
			return err
		}
	}
	for _, library := range e.needs {
		found, err := findLibrary(library)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := fs.copyProgram(found, found); err != nil {
			return err
		}
	}
	return nil
}

// findLibrary looks where loaders look without configuration (ld.so(8), "default path"), Debian's directories by
// architecture included.
func findLibrary(name string) (string, error) {
	for _, pattern := range []string{"/lib/*-linux-*", "/usr/lib/*-linux-*", "/lib64", "/usr/lib64", "/lib", "/usr/lib"} {
		found, err := filepath.Glob(path.Join(pattern, name))
		if err != nil {
			return "", fmt.Errorf("library %s: %w", name, err)
		}
		if len(found) > 0 {
			return found[0], nil
		}
	}
	return "", fmt.Errorf("the library %s is in none of the usual directories", name)
}

// readLimited reads a file through symbolic links.
func readLimited(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("stack: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxProgram+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("stack: %s: %w", file, err)
	}
	if len(data) > maxProgram {
		return nil, fmt.Errorf("%s is larger than %d bytes", file, maxProgram)
	}
	return data, nil
}
