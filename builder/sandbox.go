package builder

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// sandbox is where the phases of one build run: a container, or a directory of the host. It holds the source at
// layout().build when it is made. It is used by one goroutine. A sandbox that was not finished must be discarded;
// discarding a finished one only frees what is left of it.
type sandbox interface {
	// layout tells the absolute paths inside.
	layout() layout
	// exec runs a command to its end and returns its exit status. An error means that it could not be run, or
	// that ctx ended; then the sandbox is only good for discard.
	exec(ctx context.Context, c command) (int, error)
	// outOfMemory tells whether the memory limit has ended any process so far.
	outOfMemory(ctx context.Context) bool
	// size is how much the build has written so far, in bytes. It is called from another goroutine.
	size(ctx context.Context) (int64, error)
	// finish turns layout().build into an image whose app directory it is. types are for the image's labels.
	finish(ctx context.Context, types map[string]string) (Image, error)
	// discard stops whatever runs in it and removes it.
	discard(ctx context.Context) error
}

// layout is the absolute paths of a sandbox, as its commands see them.
type layout struct {
	build string // the source, BUILD_DIR and HOME of the phases
	cache string // CACHE_DIR, kept between the builds of an app
	env   string // ENV_DIR, in memory where that is possible
	packs string // where buildpacks are unpacked, in subdirectories
	tmp   string // for temporary files
	path  string // PATH

	authorities string // Config.CAFile
}

// command is one process in a sandbox. Its environment is Env and nothing else but what the stack image sets.
type command struct {
	argv           []string
	dir            string
	env            []string
	stdin          io.Reader // nil is empty
	stdout, stderr io.Writer // nil discards
}

// shell runs a script of the builder's own, $1… being args, and makes a non-zero exit an error.
func shell(ctx context.Context, sb sandbox, script string, stdin io.Reader, stdout io.Writer, args ...string) error {
	var said bytes.Buffer
	l := sb.layout()
	code, err := sb.exec(ctx, command{
		argv: append([]string{"bash", "-c", script, "boathook"}, args...),
		env:  []string{"PATH=" + l.path, "HOME=" + l.build}, dir: "/",
		stdin: stdin, stdout: stdout, stderr: limitWriter(&said, 4096),
	})
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("exit status %d: %s", code, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

// put unpacks a tar stream into dir, which it makes, and runs a script there, of which $1 is dir and $2… are args: a command more would cost as much as
// all of that.
func put(ctx context.Context, sb sandbox, dir string, stream io.Reader, then string, stdout io.Writer, args ...string) error {
	const unpack = `mkdir -p "$1" && cd "$1" && tar -xof - || exit` + "\n"
	return shell(ctx, sb, unpack+then, stream, stdout, append([]string{dir}, args...)...)
}

// readFiles returns regular files of at most maxReadFile bytes each; nil in the place of one that does not exist.
func readFiles(ctx context.Context, sb sandbox, names ...string) ([][]byte, error) {
	const script = `most=$1; shift
for name; do
  if [ -f "$name" ]; then size=$(wc -c <"$name"); size=$((size > most ? most + 1 : size)); echo $size; head -c $size "$name"; else echo -; fi || exit
done`
	var out bytes.Buffer
	if err := shell(ctx, sb, script, nil, &out, append([]string{strconv.Itoa(maxReadFile)}, names...)...); err != nil {
		return nil, fmt.Errorf("read %s: %w", strings.Join(names, ", "), err)
	}
	files := make([][]byte, len(names))
	for i, name := range names {
		line, err := out.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		if line == "-\n" {
			continue
		}
		size, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil || size > out.Len() {
			return nil, fmt.Errorf("read %s: %q and %d bytes", name, line, out.Len())
		}
		if size > maxReadFile {
			return nil, &Failure{Summary: fmt.Sprintf("%s is larger than %d bytes", name, maxReadFile)}
		}
		files[i] = append([]byte{}, out.Next(size)...)
	}
	return files, nil
}

// limitWriter keeps the first n bytes in buf and lets the rest go.
func limitWriter(buf *bytes.Buffer, n int) io.Writer { return &limited{buf: buf, left: n} }

type limited struct {
	buf  *bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	keep := p[:min(len(p), l.left)]
	l.left -= len(keep)
	l.buf.Write(keep)
	return len(p), nil
}
