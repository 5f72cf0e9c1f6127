package builder

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"
)

// slugIgnore removes what .slugignore lists, after the build. Every line is a pattern of [filepath.Match] from the
// root of the app ("*.psd" does not reach into directories, "docs" removes a whole one); a slash at either end
// changes nothing; blank lines and comments are skipped; there is no negation.
func (r *packBuild) slugIgnore(ctx context.Context, data []byte) error {
	build := r.sb.layout().build
	patterns := slugPatterns(data)
	if len(patterns) == 0 {
		return nil
	}
	depth := 1
	for _, p := range patterns {
		depth = max(depth, strings.Count(p, "/")+1)
	}
	remove, err := r.matching(ctx, build, patterns, depth)
	if err != nil || remove.Len() == 0 {
		return err
	}
	if err := shell(ctx, r.sb, `cd "$1" && xargs -0 rm -rf --`, remove, nil, build); err != nil {
		return fmt.Errorf(".slugignore: %w", err)
	}
	return nil
}

// slugPatterns parses .slugignore; a line that is no valid pattern matches nothing.
func slugPatterns(data []byte) []string {
	var patterns []string
	for line := range strings.Lines(string(data)) {
		line = strings.Trim(strings.TrimSpace(line), "/")
		if _, err := filepath.Match(line, ""); line == "" || line[0] == '#' || err != nil {
			continue
		}
		patterns = append(patterns, path.Clean(line))
	}
	return patterns
}

// matching lists, each followed by a NUL, the paths down to depth that a pattern matches.
func (r *packBuild) matching(ctx context.Context, dir string, patterns []string, depth int) (*bytes.Buffer, error) {
	reader, writer := io.Pipe()
	listed := make(chan error, 1)
	go func() {
		err := shell(ctx, r.sb, `cd "$1" && find . -mindepth 1 -maxdepth "$2" -print0`, nil, writer, dir, fmt.Sprint(depth))
		writer.CloseWithError(err)
		listed <- err
	}()
	var found bytes.Buffer
	names := bufio.NewScanner(reader)
	names.Split(splitNUL)
	for names.Scan() {
		name := strings.TrimPrefix(names.Text(), "./")
		if matchesAny(patterns, name) {
			found.WriteString("./" + name + "\x00")
		}
	}
	reader.CloseWithError(names.Err())
	if err := errors.Join(<-listed, names.Err()); err != nil {
		return nil, fmt.Errorf(".slugignore: %w", err)
	}
	return &found, nil
}

func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if ok, err := filepath.Match(p, name); ok && err == nil {
			return true
		}
	}
	return false
}
