package builder

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// open fetches the buildpack and streams it as a tar.
func (c *buildpackCache) open(ctx context.Context, a address, listed bool, out io.Writer) (io.ReadCloser, error) {
	p, err := c.fetch(ctx, a, listed, out)
	if err != nil {
		return nil, err
	}
	return p.open(ctx, filepath.Join(c.cfg.Dir, "scratch"))
}

// open streams the buildpack as a tar.
func (p pack) open(ctx context.Context, scratch string) (io.ReadCloser, error) {
	if commit, ok := strings.CutSuffix(filepath.Base(p.entry), ".git"); ok {
		src, err := openSource(ctx, place{gitDir: p.entry, commit: commit, scratch: scratch}, packLimits)
		if err != nil {
			return nil, err
		}
		stream, err := src.Open(ctx, TarOptions{})
		if err != nil {
			return nil, errors.Join(err, src.Close())
		}
		return closers{stream, []io.Closer{stream, src}}, nil
	}
	f, err := os.Open(p.entry)
	if err != nil {
		return nil, fmt.Errorf("buildpack cache: %w", err)
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, errors.Join(&Failure{Summary: "The buildpack's archive is not a gzip file", Err: err}, f.Close())
	}
	return closers{z, []io.Closer{z, f}}, nil
}

// closers is a reader that closes what it was made of, in order.
type closers struct {
	io.Reader
	parts []io.Closer
}

func (c closers) Close() error {
	var err error
	for _, part := range c.parts {
		err = errors.Join(err, part.Close())
	}
	return err
}
