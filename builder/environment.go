package builder

import (
	"archive/tar"
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// protected are the variables that an app's own may not replace while building: they would break the tools of the
// buildpack, not those of the app (Heroku's buildpack API, "Compile").
var protected = map[string]bool{
	"PATH": true, "HOME": true, "GIT_DIR": true, "CPATH": true, "CPPATH": true,
	"LD_PRELOAD": true, "LIBRARY_PATH": true, "LD_LIBRARY_PATH": true,
}

// phaseEnv is the process environment of the phases: the app's variables, then what is injected.
func (b *Build) phaseEnv(req Request, l layout) []string {
	env := map[string]string{}
	for name, value := range req.Env {
		if variableName.MatchString(name) && !protected[name] {
			env[name] = value
		}
	}
	if b.cfg.Proxy != "" {
		for _, name := range []string{"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"} {
			env[name] = b.cfg.Proxy
		}
	}
	if b.cfg.CAFile != "" {
		for _, name := range []string{"SSL_CERT_FILE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"} {
			env[name] = l.authorities
		}
	}
	maps.Copy(env, map[string]string{
		"PATH": l.path, "HOME": l.build, "TMPDIR": l.tmp,
		"SOURCE_VERSION": req.Commit, "APP": req.App, "REQUEST_ID": req.Deployment, "STACK": b.cfg.StackName,
	})
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// envTar is what ENV_DIR holds, the app's variables: one file each, named like the variable, no newline at the end.
func (r *packBuild) envTar() (*bytes.Buffer, error) {
	var buf bytes.Buffer
	t := tar.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(r.req.Env)) {
		if !variableName.MatchString(name) {
			continue
		}
		value := r.req.Env[name]
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(value))}
		if err := t.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("env directory: %w", err)
		}
		if _, err := t.Write([]byte(value)); err != nil {
			return nil, fmt.Errorf("env directory: %w", err)
		}
	}
	if err := t.Close(); err != nil {
		return nil, fmt.Errorf("env directory: %w", err)
	}
	return &buf, nil
}
