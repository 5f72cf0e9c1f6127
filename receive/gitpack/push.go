package gitpack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Push is one received update of a branch. It is valid until the Handler's Deploy returns, and used by one goroutine.
type Push struct {
	App     string
	Ref     string    // full name: refs/heads/master
	Old     string    // what the client saw there, 40 hexadecimal digits; zeros for none
	New     string    // the commit to deploy
	GitDir  string    // absolute; the quarantine, which reads the commit and all before it
	Options []string  // git push -o
	Out     io.Writer // to the pusher, as it comes; never fails, and discards after the client has gone

	quarantine *quarantine
	published  bool
	head       string // what the repository's HEAD named before Publish
}

// stale is ErrStale's type: an error with git's reason.
type stale struct{}

func (stale) Error() string  { return "the branch has moved since the client looked: fetch first" }
func (stale) Reason() string { return "fetch first" }

// ErrStale tells that the branch is no longer where the client saw it.
var ErrStale error = stale{}

// Stale tells whether the branch has moved since the client looked, so that Publish would fail.
func (p *Push) Stale(ctx context.Context) (bool, error) {
	now, err := p.quarantine.repos.Head(ctx, p.App, p.Ref)
	return now != p.Old, err
}

// Publish moves the objects into the repository and the branch from Old to New, in one step, and lets HEAD name it. If the
// branch has moved meanwhile nothing changes and the error is ErrStale. It may be called once.
func (p *Push) Publish(ctx context.Context) error {
	if p.published {
		return errors.New("publish: published already")
	}
	r := p.quarantine.repos
	repo := r.repository(p.App)
	repo.mu.Lock()
	defer repo.mu.Unlock()
	moved, err := p.Stale(ctx)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if moved {
		return ErrStale
	}
	if err := p.quarantine.release(); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if p.head, err = r.symbolicHead(p.App); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if err := r.updateRef(ctx, p.App, p.Ref, p.Old, p.New); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	p.published = true
	if p.head != p.Ref {
		// HEAD only tells a clone what to check out.
		if err := r.setSymbolicHead(ctx, p.App, p.Ref); err != nil {
			r.log.Warn("set HEAD", "app", p.App, "err", err)
		}
	}
	return nil
}

// Revert takes Publish back: the branch returns to Old, unless somebody moved it on, which is ErrStale. The objects stay
// until the next repack. Without a Publish before, it does nothing.
func (p *Push) Revert(ctx context.Context) error {
	if !p.published {
		return nil
	}
	r := p.quarantine.repos
	repo := r.repository(p.App)
	repo.mu.Lock()
	defer repo.mu.Unlock()
	if err := r.updateRef(ctx, p.App, p.Ref, p.New, p.Old); err != nil {
		return fmt.Errorf("revert: %w", err)
	}
	if err := r.setSymbolicHead(ctx, p.App, p.head); err != nil {
		return fmt.Errorf("revert: %w", err)
	}
	return nil
}

// symbolicHead is the ref that the repository's HEAD names, read without a process (gitrepository-layout(5)).
func (r *Repos) symbolicHead(app string) (string, error) {
	text, err := os.ReadFile(filepath.Join(r.Path(app), "HEAD"))
	if err != nil {
		return "", err
	}
	ref, symbolic := strings.CutPrefix(strings.TrimSpace(string(text)), "ref: ")
	if !symbolic {
		return "", fmt.Errorf("HEAD of %s names no branch", app)
	}
	return ref, nil
}

func (r *Repos) setSymbolicHead(ctx context.Context, app, ref string) error {
	_, err := r.output(ctx, child{dir: r.Path(app), args: []string{"symbolic-ref", "HEAD", ref}})
	return err
}
