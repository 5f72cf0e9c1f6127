package builder

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// embeddedName is the buildpack that is always there and tried last.
const embeddedName = "procfile"

//go:embed procfile
var embedded embed.FS

const (
	listedFresh = 10 * time.Minute   // how long the commit of a buildpack of the operator's list is not asked for again
	packKept    = 7 * 24 * time.Hour // how long an unused commit stays in the cache
)

// buildpackCache keeps buildpacks on the host:
//
//	DIR/URLHASH/COMMIT.git   bare repository of one commit
//	DIR/URLHASH/SHA256.tgz   a downloaded archive
//	DIR/URLHASH/ref-REFHASH  name of the entry that the reference meant when it was last asked for
//
// Entries are made under a temporary name and renamed, so that builds need no lock between them.
type buildpackCache struct {
	dir string
	cfg Config
}

func newBuildpackCache(cfg Config) *buildpackCache {
	return &buildpackCache{dir: filepath.Join(cfg.Dir, "buildpacks"), cfg: cfg}
}

// address is a parsed buildpack URL.
type address struct {
	url     string // after rewriting, without the fragment
	ref     string // the fragment: branch, tag or commit; "" is the default branch
	archive bool   // a .tgz or .tar.gz
	ssh     bool   // must be cloned inside the sandbox
	show    string // for people: before rewriting, no password
}

var scpAddress = regexp.MustCompile(`^[A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+:[^:]+$`)

// parse checks a buildpack's URL and applies the rewrite rules. What is wrong is a *Failure.
func (c *buildpackCache) parse(p packRef) (address, error) {
	plain, ref, _ := strings.Cut(p.url, "#")
	a := address{url: c.rewrite(plain), ref: ref, show: p.url}
	if strings.HasPrefix(ref, "-") || strings.ContainsAny(p.url, "\x00\n\r\t ") {
		return a, badURL(p.url, "it has a character that no URL has")
	}
	if scpAddress.MatchString(a.url) {
		a.ssh = true
		return a, nil
	}
	u, err := url.Parse(a.url)
	if err != nil {
		return a, badURL(p.url, "it cannot be parsed")
	}
	if shown, err := url.Parse(p.url); err == nil {
		a.show = shown.Redacted()
	}
	a.archive = strings.HasSuffix(u.Path, ".tgz") || strings.HasSuffix(u.Path, ".tar.gz")
	switch u.Scheme {
	case "http", "https", "git":
	case "ssh", "git+ssh":
		a.ssh = true
	case "file":
		rewritten := a.url != plain
		if !p.listed && !rewritten && !c.cfg.LocalURLs && c.cfg.Docker != nil {
			return a, badURL(a.show, "file:// is for the server's own list only")
		}
	default:
		return a, badURL(a.show, "use https, http, git or ssh")
	}
	return a, nil
}

func badURL(shown, why string) error {
	return &Failure{Summary: fmt.Sprintf("The buildpack URL %q cannot be used: %s", shown, why)}
}

// rewrite replaces the longest configured prefix.
func (c *buildpackCache) rewrite(u string) string {
	best := ""
	for prefix := range c.cfg.Rewrite {
		if strings.HasPrefix(u, prefix) && len(prefix) > len(best) {
			best = prefix
		}
	}
	if best == "" {
		return u
	}
	return c.cfg.Rewrite[best] + strings.TrimPrefix(u, best)
}

// pack is a buildpack in the cache.
type pack struct {
	entry string // path of COMMIT.git or SHA256.tgz
}

// fetch makes sure that the buildpack is in the cache. When it cannot be reached but has been used before, the
// earlier copy is taken and told to out.
func (c *buildpackCache) fetch(ctx context.Context, a address, listed bool, out io.Writer) (pack, error) {
	home := filepath.Join(c.dir, hash(a.url))
	if err := os.MkdirAll(home, 0o700); err != nil {
		return pack{}, fmt.Errorf("buildpack cache: %w", err)
	}
	mark := filepath.Join(home, "ref-"+hash(a.ref))
	last, age := readMark(home, mark)
	if listed && last != "" && age < listedFresh {
		return pack{last}, nil
	}
	get := c.fetchGit
	if a.archive {
		get = c.fetchArchive
	}
	name, err := get(ctx, a, home)
	if err != nil {
		if last == "" || ctx.Err() != nil {
			return pack{}, err
		}
		c.cfg.Log.Warn("buildpack not reachable, cached copy used", "url", a.show, "err", err)
		say(out, " !     %s cannot be reached, using the copy of the last build", a.show)
		return pack{last}, nil
	}
	if err := writeMark(mark, name); err != nil {
		return pack{}, err
	}
	entry := filepath.Join(home, name)
	now := time.Now()
	if err := os.Chtimes(entry, now, now); err != nil {
		return pack{}, fmt.Errorf("buildpack cache: %w", err)
	}
	return pack{entry}, c.prune(home, now)
}

// readMark returns the entry that a mark names, if it is still there, and the mark's age.
func readMark(home, mark string) (string, time.Duration) {
	name, err := os.ReadFile(mark)
	if err != nil {
		return "", 0
	}
	entry := filepath.Join(home, filepath.Base(string(name)))
	info, err := os.Stat(mark)
	if err != nil {
		return "", 0
	}
	if _, err := os.Stat(entry); err != nil {
		return "", 0
	}
	return entry, time.Since(info.ModTime())
}

func writeMark(mark, name string) error {
	tmp, err := os.CreateTemp(filepath.Dir(mark), "tmp-")
	if err != nil {
		return fmt.Errorf("buildpack cache: %w", err)
	}
	_, err = tmp.WriteString(name)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), mark)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("buildpack cache: %w", err), os.Remove(tmp.Name()))
	}
	return nil
}

// prune removes what has not been used for packKept, left-over temporary files included.
func (c *buildpackCache) prune(home string, now time.Time) error {
	entries, err := os.ReadDir(home)
	if err != nil {
		return fmt.Errorf("buildpack cache: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || now.Sub(info.ModTime()) < packKept {
			continue // gone by another build's prune, or young
		}
		if err := os.RemoveAll(filepath.Join(home, e.Name())); err != nil {
			return fmt.Errorf("buildpack cache: %w", err)
		}
	}
	return nil
}

// embeddedTar is the embedded buildpack as a tar of its files, all executable.
func embeddedTar() (io.ReadCloser, error) {
	var buf bytes.Buffer
	t := tar.NewWriter(&buf)
	add := func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := embedded.ReadFile(name)
		if err != nil {
			return err
		}
		h := &tar.Header{Name: strings.TrimPrefix(name, embeddedName+"/"), Mode: 0o755, Size: int64(len(data))}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		_, err = t.Write(data)
		return err
	}
	if err := errors.Join(fs.WalkDir(embedded, embeddedName, add), t.Close()); err != nil {
		return nil, fmt.Errorf("embedded buildpack: %w", err)
	}
	return io.NopCloser(&buf), nil
}

// hash names a cache entry after a text of any characters.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}
