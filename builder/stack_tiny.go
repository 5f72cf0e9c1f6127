package builder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// tinyRecipe is raised whenever the layout of the tiny image changes.
const tinyRecipe = "1"

// EnsureTiny returns a stack image of a few megabytes, made in seconds: bash, busybox and nothing else. It is for
// tests, for the demo and for apps that bring their own programs. It has no package manager, no certificates and no
// git, and busybox' tools know fewer options than the usual ones (sed -u, mktemp -t).
func (s *Stacks) EnsureTiny(ctx context.Context, out io.Writer) (string, error) {
	from := func(programs func(context.Context) (*rootFS, error)) func(context.Context, io.Writer) (string, error) {
		return func(ctx context.Context, _ io.Writer) (string, error) { return s.makeTiny(ctx, programs) }
	}
	image, err := s.first(ctx, out, []stackStep{
		{run: func(ctx context.Context, _ io.Writer) (string, error) { return s.made(ctx, "tiny:"+tinyRecipe) }},
		{try: "Making a small stack image from Debian's busybox-static and bash-static", run: from(debianStatics)},
		{try: "Making a small stack image from this machine's static busybox and bash", run: from(hostStatics)},
		{try: "Making a small stack image from this machine's bash and tools", run: from(hostPrograms)},
	})
	if err != nil {
		return "", fmt.Errorf("no small stack image can be made here (%w): install busybox and bash, linked statically if possible", err)
	}
	return image, nil
}

// makeTiny lays out the programs as an image, named by its content.
func (s *Stacks) makeTiny(ctx context.Context, programs func(context.Context) (*rootFS, error)) (string, error) {
	fs, err := programs(ctx)
	if err != nil {
		return "", err
	}
	fs.addSystem()
	var buf bytes.Buffer
	sum := sha256.New()
	if err := fs.writeTar(io.MultiWriter(&buf, sum)); err != nil {
		return "", err
	}
	ref := s.namespace() + "/stack-tiny:" + hex.EncodeToString(sum.Sum(nil))[:12]
	if _, err := s.importTar(ctx, ref, &buf, s.stackConfig("tiny:"+tinyRecipe)); err != nil {
		return "", err
	}
	return ref, nil
}

// addSystem adds what every program expects around it: users, directories, env where scripts look for it.
func (fs *rootFS) addSystem() {
	fs.file("/etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\napp:x:1000:1000:app:/app:/bin/bash\n"))
	fs.file("/etc/group", 0o644, []byte("root:x:0:\nnogroup:x:65534:\napp:x:1000:\n"))
	fs.file("/etc/nsswitch.conf", 0o644, []byte("passwd: files\ngroup: files\nhosts: files dns\n"))
	fs.file("/etc/os-release", 0o644, []byte("ID=boathook-tiny\nPRETTY_NAME=\"boathook tiny stack\"\n"))
	for _, dir := range []string{"/bin", "/dev", "/etc", "/proc", "/root", "/sys", "/usr", "/usr/bin", "/usr/local", "/usr/local/bin", "/var", "/var/tmp"} {
		fs.dir(dir, 0o755, 0)
	}
	fs.dir("/tmp", 0o1777, 0)
	fs.dir("/var/tmp", 0o1777, 0)
	for _, dir := range []string{"/app", "/build", "/cache"} {
		fs.dir(dir, 0o755, 1000)
	}
	fs.linkMissing("/usr/bin/env", "/bin/env")
	fs.linkMissing("/usr/bin/bash", "/bin/bash")
	fs.linkMissing("/bin/sh", "/bin/bash")
}

// linkApplets makes busybox answer to the names it lists, but for those that exist already and the shells, whose
// part is bash's.
func (fs *rootFS) linkApplets(list []byte) error {
	fs.linkMissing("/bin/sh", "/bin/bash")
	n := 0
	for line := range bytes.Lines(list) {
		name := string(bytes.TrimSpace(line))
		if name == "" || bytes.ContainsAny(line, "/ ") {
			continue
		}
		fs.linkMissing("/bin/"+name, "/bin/busybox")
		n++
	}
	if n == 0 {
		return errors.New("busybox lists no applets")
	}
	return nil
}
