package local

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ImageDir stands in an element of Spec.Argv for the directory of the instance's copy of the image:
// "{image}" itself, or at the beginning of a path as in "{image}/bin/start".
const ImageDir = "{image}"

// standardPath is PATH where the app sets none.
const standardPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environ is the whole environment of the instance's processes, sorted. Nothing of boathook's own is in it.
func (r record) environ(dir string) []string {
	env := map[string]string{"PATH": standardPath}
	maps.Copy(env, r.Env)
	env["HOME"] = appDir(dir)
	env["TMPDIR"] = tmpDir(dir)
	env["CONTAINER"] = fmt.Sprintf("%s-%d", r.Type, r.Number)
	env["HOSTNAME"] = fmt.Sprintf("%s-%s-%d", r.App, r.Type, r.Number)
	if r.Port != 0 {
		env["PORT"] = strconv.Itoa(r.Port)
	}
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// command is the argv with ImageDir replaced.
func (r record) command(dir string) []string {
	argv := slices.Clone(r.Argv)
	for i, arg := range argv {
		if arg == ImageDir || strings.HasPrefix(arg, ImageDir+"/") {
			argv[i] = appDir(dir) + strings.TrimPrefix(arg, ImageDir)
		}
	}
	return argv
}

// lookPath finds the file of a command as execvp(3) does, with the PATH of the instance instead of boathook's,
// and relative to the instance's directory.
func lookPath(name, workDir string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return absolute(name, workDir), nil
	}
	path := ""
	for _, v := range env {
		if rest, ok := strings.CutPrefix(v, "PATH="); ok {
			path = rest
		}
	}
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(absolute(dir, workDir), name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("command %q is in no directory of PATH=%s", name, path)
}

func absolute(path, workDir string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(workDir, path)
}

func appDir(dir string) string { return filepath.Join(dir, "app") }
func tmpDir(dir string) string { return filepath.Join(dir, "tmp") }
