package builder

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// context opens the build context: the source without what .dockerignore names. As with docker build, the Dockerfile
// and .dockerignore are always sent.
func (d *dockerfileBuild) context(ctx context.Context) (io.ReadCloser, error) {
	ignored, err := d.ignored(ctx)
	if err != nil {
		return nil, err
	}
	source, err := d.src.Open(ctx, TarOptions{})
	if err != nil || ignored == nil {
		return source, err
	}
	r, w := io.Pipe()
	f := &filteredTar{PipeReader: r, source: source, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		w.CloseWithError(filterTar(tar.NewWriter(w), tar.NewReader(source), ignored))
	}()
	return f, nil
}

// ignored reads .dockerignore; nil means there is none, or it names nothing.
func (d *dockerfileBuild) ignored(ctx context.Context) (*patternmatcher.PatternMatcher, error) {
	text, err := d.src.ReadFile(ctx, ".dockerignore")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(text))
	if err != nil {
		return nil, &Failure{Summary: "The .dockerignore cannot be read", Err: err}
	}
	if len(patterns) == 0 {
		return nil, nil
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, &Failure{Summary: fmt.Sprintf("The .dockerignore has an invalid pattern: %s", err), Err: err}
	}
	return ignored, nil
}

// filteredTar is the reading end of a filter; it owns the source and the goroutine between them.
type filteredTar struct {
	*io.PipeReader
	source io.Closer
	done   chan struct{}
}

func (f *filteredTar) Close() error {
	err := errors.Join(f.PipeReader.Close(), f.source.Close())
	<-f.done
	return err
}

// filterTar copies the entries that are not ignored, and closes dst.
func filterTar(dst *tar.Writer, src *tar.Reader, ignored *patternmatcher.PatternMatcher) error {
	for {
		h, err := src.Next()
		if errors.Is(err, io.EOF) {
			return dst.Close()
		}
		if err != nil {
			return err
		}
		name := path.Clean(h.Name)
		skip, err := ignored.MatchesOrParentMatches(name)
		if err != nil {
			return fmt.Errorf(".dockerignore: %w", err)
		}
		if skip && name != "Dockerfile" && name != ".dockerignore" {
			continue
		}
		if err := dst.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(dst, src); err != nil {
			return err
		}
	}
}
