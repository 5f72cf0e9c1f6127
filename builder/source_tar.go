package builder

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"time"
)

// TarOptions say how a tree is packed.
type TarOptions struct {
	Prefix string // directory to put in front, "build/42"; "" is none
	UID    int    // owner and group of every entry
}

// Open streams the tree as a tar: files, directories and symbolic links, all owned by opt.UID, modes 0755 and 0644,
// all of the commit's time. Close ends the work behind it; an early error comes out of Read.
func (s *Source) Open(ctx context.Context, opt TarOptions) (io.ReadCloser, error) {
	ctx, stop := context.WithCancel(ctx)
	var stderr bytes.Buffer
	cmd := s.git.command(ctx, "archive", "--format=tar", s.Tree)
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		stop()
		return nil, fmt.Errorf("git archive: %w", err)
	}
	if err := cmd.Start(); err != nil {
		stop()
		return nil, fmt.Errorf("git archive: %w", err)
	}
	r, w := io.Pipe()
	stream := &tarStream{PipeReader: r, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(stream.done)
		err := repack(tar.NewWriter(w), tar.NewReader(stdout), opt, s.Time)
		if err != nil {
			stop()
		} else {
			_, err = io.Copy(io.Discard, stdout) // the padding behind the end marker
		}
		if waitErr := cmd.Wait(); err == nil && waitErr != nil {
			err = gitError(ctx, "archive", waitErr, stderr.Bytes())
		}
		w.CloseWithError(err)
	}()
	return stream, nil
}

// tarStream is the reading end of Open; it owns the goroutine and the process that feed it.
type tarStream struct {
	*io.PipeReader
	stop context.CancelFunc
	done chan struct{}
}

func (t *tarStream) Close() error {
	err := t.PipeReader.Close()
	t.stop()
	<-t.done
	return err
}

// repack copies src to dst with the owner, prefix and time wanted, and closes dst.
func repack(dst *tar.Writer, src *tar.Reader, opt TarOptions, at time.Time) error {
	for {
		h, err := src.Next()
		if errors.Is(err, io.EOF) {
			return dst.Close()
		}
		if err != nil {
			return fmt.Errorf("source archive: %w", err)
		}
		out, err := plainHeader(h, opt, at)
		if err != nil {
			return err
		}
		if out == nil {
			continue
		}
		if err := dst.WriteHeader(out); err != nil {
			return err
		}
		if _, err := io.Copy(dst, src); err != nil {
			return err
		}
	}
}

// plainHeader reduces a header to what a checkout has; nil means leave the entry out.
func plainHeader(h *tar.Header, opt TarOptions, at time.Time) (*tar.Header, error) {
	name := path.Clean(h.Name)
	if name == "." || h.Typeflag == tar.TypeXGlobalHeader {
		return nil, nil
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	out := &tar.Header{
		Typeflag: h.Typeflag, Name: path.Join(opt.Prefix, name), ModTime: at,
		Mode: 0o644, Uid: opt.UID, Gid: opt.UID,
	}
	switch h.Typeflag {
	case tar.TypeReg:
		out.Size = h.Size
	case tar.TypeSymlink:
		out.Linkname, out.Mode = h.Linkname, 0o777
	case tar.TypeDir:
		out.Name += "/"
	default:
		return nil, fmt.Errorf("source archive: %s has the unexpected type %q", name, h.Typeflag)
	}
	if h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeReg && h.Mode&0o100 != 0 {
		out.Mode = 0o755
	}
	return out, nil
}
