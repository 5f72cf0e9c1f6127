package builder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// plan is how a source tree will be built.
type plan struct {
	dockerfile bool
	packs      []packRef
	detect     bool // packs are candidates and the first that fits is used; else all are, in order
}

// packRef names a buildpack. Without a url it is the embedded one.
type packRef struct {
	name   string // from the operator's list, or ""
	url    string // before rewriting
	listed bool   // the operator configured it
}

// title is what the pusher calls it.
func (p packRef) title() string {
	if p.name != "" {
		return p.name
	}
	return p.url
}

// plan chooses: BUILDPACK_URL, .buildpacks, BUILDPACK_NAME, Dockerfile, detection; the first that there is.
func (b *Build) plan(ctx context.Context, req Request, src *Source) (plan, error) {
	list, err := src.ReadFile(ctx, ".buildpacks")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return plan{}, err
	}
	packs, err := b.parseBuildpacks(list)
	if err != nil {
		return plan{}, err
	}
	if url := strings.TrimSpace(req.Env["BUILDPACK_URL"]); url != "" && !(len(packs) > 0 && isMulti(url)) {
		return plan{packs: []packRef{{url: url}}}, nil
	}
	if len(packs) > 0 {
		return plan{packs: packs}, nil
	}
	if name := strings.TrimSpace(req.Env["BUILDPACK_NAME"]); name != "" {
		p, err := b.named(name)
		return plan{packs: []packRef{p}}, err
	}
	if has, err := src.Has(ctx, "Dockerfile"); err != nil || has {
		return plan{dockerfile: has}, err
	}
	return plan{packs: b.candidates(), detect: true}, nil
}

// isMulti tells the buildpacks whose only work is to read .buildpacks, which is done here.
func isMulti(url string) bool {
	url, _, _ = strings.Cut(url, "#")
	name := strings.TrimSuffix(path.Base(url), ".git")
	return name == "multi-buildpack" || name == "heroku-buildpack-multi"
}

// parseBuildpacks reads .buildpacks: a URL, or a name of the operator's list, a line.
func (b *Build) parseBuildpacks(data []byte) ([]packRef, error) {
	var packs []packRef
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case strings.ContainsAny(line, ":/"):
			packs = append(packs, packRef{url: line})
		default:
			p, err := b.named(line)
			if err != nil {
				return nil, err
			}
			packs = append(packs, p)
		}
	}
	return packs, nil
}

// named finds a buildpack of the list by name.
func (b *Build) named(name string) (packRef, error) {
	all := b.candidates()
	names := make([]string, len(all))
	for i, p := range all {
		if p.name == name {
			return p, nil
		}
		names[i] = p.name
	}
	return packRef{}, &Failure{Summary: fmt.Sprintf("There is no buildpack named %q: choose one of %s, or set BUILDPACK_URL", name, strings.Join(names, ", "))}
}

// candidates is the operator's list in alphabetical order, then the embedded buildpack.
func (b *Build) candidates() []packRef {
	var packs []packRef
	for _, p := range b.cfg.Buildpacks {
		packs = append(packs, packRef{name: p.Name, url: p.URL, listed: true})
	}
	slices.SortFunc(packs, func(a, b packRef) int { return strings.Compare(a.name, b.name) })
	return append(packs, packRef{name: embeddedName, listed: true})
}
