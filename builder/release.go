package builder

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// releaseData is what bin/release prints, as YAML. Other keys ("addons") are ignored.
type releaseData struct {
	ConfigVars          map[string]string `yaml:"config_vars"`
	DefaultProcessTypes map[string]string `yaml:"default_process_types"`
}

// parseRelease accepts nothing, "---" and null as no data.
func parseRelease(out []byte) (releaseData, error) {
	var data releaseData
	if err := yaml.Unmarshal(out, &data); err != nil {
		return releaseData{}, &Failure{Summary: badReturn, Err: fmt.Errorf("bin/release: %w", err)}
	}
	return data, nil
}

// release runs bin/release, which a buildpack need not have.
func (r *packBuild) release(ctx context.Context, dir string) (releaseData, error) {
	var has, out bytes.Buffer
	if err := shell(ctx, r.sb, `[ ! -f "$1" ] || echo yes`, nil, &has, path.Join(dir, "bin/release")); err != nil {
		return releaseData{}, err
	}
	if has.Len() == 0 {
		return releaseData{}, nil
	}
	code, err := r.phase(ctx, dir, "release", limitWriter(&out, maxReadFile), r.req.Out, r.sb.layout().build)
	if err != nil {
		return releaseData{}, err
	}
	if code != 0 {
		return releaseData{}, r.failed(ctx, "release", code)
	}
	data, err := parseRelease(out.Bytes())
	if err != nil {
		say(r.req.Out, " !     bin/release of the buildpack printed no valid YAML")
	}
	return data, err
}

// processTypes are those of the Procfile; without one, which is nil, the buildpack's defaults count.
func (r *packBuild) processTypes(text []byte, data releaseData) (map[string]string, error) {
	if text == nil {
		return r.defaultTypes(data)
	}
	list, err := ParseProcfileOrdered(text)
	if err != nil {
		return nil, err
	}
	types, names := map[string]string{}, []string{}
	for _, p := range list {
		types[p.Type] = p.Command
		names = append(names, p.Type)
	}
	say(r.req.Out, "-----> Procfile declares types -> %s", strings.Join(names, ", "))
	return types, nil
}

// defaultTypes checks the release data's types by the Procfile's rule.
func (r *packBuild) defaultTypes(data releaseData) (map[string]string, error) {
	names := slices.Sorted(maps.Keys(data.DefaultProcessTypes))
	for _, name := range names {
		if !procfileLine.MatchString(name + ": x") {
			return nil, &Failure{Summary: badReturn, Err: fmt.Errorf("bin/release: %q is not a process type", name)}
		}
	}
	if len(names) == 0 {
		say(r.req.Out, " !     There is no Procfile, and the buildpack has no default process types")
		return map[string]string{}, nil
	}
	say(r.req.Out, "-----> Buildpack declares default types -> %s", strings.Join(names, ", "))
	return data.DefaultProcessTypes, nil
}

// putConfigVars keeps the release data's config_vars as defaults: a variable of the app always wins.
func (r *packBuild) putConfigVars(ctx context.Context, vars map[string]string) error {
	var script strings.Builder
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if !variableName.MatchString(name) || protected[name] {
			continue
		}
		quoted := "'" + strings.ReplaceAll(vars[name], "'", `'\''`) + "'"
		fmt.Fprintf(&script, "[ -n \"${%s+set}\" ] || export %s=%s\n", name, name, quoted)
	}
	if script.Len() == 0 {
		return nil
	}
	const write = `mkdir -p "$1/.profile.d" && cat > "$1/.profile.d/000-config-vars.sh"`
	return shell(ctx, r.sb, write, strings.NewReader(script.String()), nil, r.sb.layout().build)
}
