package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// packLimits bound a buildpack; generous, as some bring their own programs.
var packLimits = Limits{SourceSize: 1 << 30, SourceFiles: 100_000}

var abbreviatedID = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// gitFor runs git in dir with the proxy, the authorities and the protocols that the configuration allows.
func (c *buildpackCache) gitFor(dir string) gitRunner {
	g := gitRunner{dir: dir, extra: []string{"GIT_ALLOW_PROTOCOL=http:https:git:file"}}
	if c.cfg.Proxy != "" {
		g.extra = append(g.extra, "http_proxy="+c.cfg.Proxy, "https_proxy="+c.cfg.Proxy)
	}
	if c.cfg.CAFile != "" {
		g.extra = append(g.extra, "GIT_SSL_CAINFO="+c.cfg.CAFile)
	}
	return g
}

// fetchGit asks what a.ref is now and makes home/COMMIT.git unless it is there. It returns the entry's name.
func (c *buildpackCache) fetchGit(ctx context.Context, a address, home string) (string, error) {
	tmp, err := os.MkdirTemp(home, "tmp-")
	if err != nil {
		return "", fmt.Errorf("buildpack cache: %w", err)
	}
	defer os.RemoveAll(tmp)
	git := c.gitFor(tmp)
	id, err := remoteID(ctx, git, a)
	if err != nil {
		return "", unreachable(ctx, a, err)
	}
	if _, err := os.Stat(filepath.Join(home, id+".git")); err == nil {
		return id + ".git", nil
	}
	if _, err := git.output(ctx, "init", "--quiet", "--bare", tmp); err != nil {
		return "", err
	}
	id, err = fetchCommit(ctx, git, a, id)
	if err != nil {
		return "", unreachable(ctx, a, err)
	}
	name := id + ".git"
	if err := os.Rename(tmp, filepath.Join(home, name)); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("buildpack cache: %w", err)
	}
	return name, nil
}

// unreachable blames the URL that the app named, unless ctx ended.
func unreachable(ctx context.Context, a address, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return &Failure{Summary: fmt.Sprintf("The buildpack %s cannot be fetched: check the address and the #reference", a.show), Err: err}
}

// remoteID asks the remote for a.ref: a branch, else a tag, else it is taken as a commit id.
func remoteID(ctx context.Context, git gitRunner, a address) (string, error) {
	want := a.ref
	if want == "" {
		want = "HEAD"
	}
	out, err := git.output(ctx, "ls-remote", "--", a.url, want, want+"^{}")
	if err != nil {
		return "", err
	}
	ids := map[string]string{}
	for line := range strings.Lines(string(out)) {
		id, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		ids[name] = id
	}
	for _, name := range []string{"refs/heads/" + want, "refs/tags/" + want + "^{}", "refs/tags/" + want, want} {
		if id := ids[name]; objectIDPattern.MatchString(id) {
			return id, nil
		}
	}
	if abbreviatedID.MatchString(want) {
		return want, nil
	}
	return "", fmt.Errorf("%s has no %s", a.show, want)
}

// fetchCommit fetches one commit into the bare repository of git, and returns its full id. A commit that the
// remote does not hand out alone, or an abbreviated one, is looked for in the whole history.
func fetchCommit(ctx context.Context, git gitRunner, a address, id string) (string, error) {
	if objectIDPattern.MatchString(id) {
		if _, err := git.output(ctx, "fetch", "--quiet", "--depth=1", "--no-tags", "--", a.url, id); err == nil {
			return id, nil
		} else if ctx.Err() != nil {
			return "", err
		}
	}
	if _, err := git.output(ctx, "fetch", "--quiet", "--", a.url, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"); err != nil {
		return "", err
	}
	out, err := git.output(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", id+"^{commit}")
	return strings.TrimSpace(string(out)), err
}
