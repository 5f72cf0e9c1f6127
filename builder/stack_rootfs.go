package builder

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// rootFS is a root file system in memory: entries by absolute clean path. Parents of entries are added by writeTar.
type rootFS struct {
	entries map[string]rootEntry
}

type rootEntry struct {
	kind byte // a type flag of package tar
	mode int64
	uid  int // owner and group
	data []byte
	link string
}

func newRootFS() *rootFS { return &rootFS{entries: map[string]rootEntry{}} }

func (fs *rootFS) file(name string, mode int64, data []byte) {
	fs.entries[path.Clean(name)] = rootEntry{kind: tar.TypeReg, mode: mode, data: data}
}

func (fs *rootFS) dir(name string, mode int64, uid int) {
	fs.entries[path.Clean(name)] = rootEntry{kind: tar.TypeDir, mode: mode, uid: uid}
}

// linkMissing makes a symbolic link unless the name is taken.
func (fs *rootFS) linkMissing(name, target string) {
	if name = path.Clean(name); name == target {
		return
	}
	if _, taken := fs.entries[name]; !taken {
		fs.entries[name] = rootEntry{kind: tar.TypeSymlink, mode: 0o777, link: target}
	}
}

// writeTar writes everything in the order of names with a fixed time: equal content gives equal bytes.
func (fs *rootFS) writeTar(w io.Writer) error {
	fs.addParents()
	t := tar.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(fs.entries)) {
		e := fs.entries[name]
		h := &tar.Header{
			Typeflag: e.kind, Name: strings.TrimPrefix(name, "/"), Linkname: e.link, Mode: e.mode,
			Uid: e.uid, Gid: e.uid, Size: int64(len(e.data)), ModTime: time.Unix(0, 0),
		}
		if e.kind == tar.TypeDir {
			h.Name += "/"
		}
		err := t.WriteHeader(h)
		if err == nil {
			_, err = t.Write(e.data)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("pack %s: %w", name, err), t.Close())
		}
	}
	if err := t.Close(); err != nil {
		return fmt.Errorf("pack root file system: %w", err)
	}
	return nil
}

func (fs *rootFS) addParents() {
	for _, name := range slices.Collect(maps.Keys(fs.entries)) {
		for dir := path.Dir(name); dir != "/"; dir = path.Dir(dir) {
			if _, ok := fs.entries[dir]; !ok {
				fs.dir(dir, 0o755, 0)
			}
		}
	}
}
