package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	_ "embed"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	gossh "golang.org/x/crypto/ssh"
)

//go:embed sample/main.go
var sampleSource []byte

// newKey writes a new private key in OpenSSH's format to path and returns the public line.
func newKey(path string) (string, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	block, err := gossh.MarshalPrivateKey(private, "boathook demo")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return "", err
	}
	line, err := gossh.NewPublicKey(public)
	if err != nil {
		return "", err
	}
	return string(gossh.MarshalAuthorizedKey(line)), nil
}

// makeSample builds the sample app and commits it as version 1.
func (t *tour) makeSample(ctx context.Context) error {
	t.title("Building the sample app")
	repo, source := filepath.Join(t.dir, "sample"), filepath.Join(t.dir, "source")
	for _, dir := range []string{filepath.Join(repo, "bin"), source} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(source, "main.go"), sampleSource, 0o644); err != nil {
		return err
	}
	build := t.program(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(repo, "bin", "sample"), "main.go")
	build.Dir = source
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GO111MODULE=off", "GOFLAGS=", "GOWORK=off", "GOTMPDIR="+t.dir) // what an interrupted go leaves goes with the directory
	if t.server.engine.Name() == "docker" {
		build.Env = append(build.Env, "GOOS=linux")
	}
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the sample app: %w\n%s", err, output)
	}
	for _, args := range [][]string{{"init", "-q", "-b", "master"}, {"remote", "add", "scalingo", t.remote()}} {
		if _, err := t.git(ctx, args...); err != nil {
			return fmt.Errorf("git %s: %w", args[0], err)
		}
	}
	return t.commit(ctx, "Hello from version 1", `bin/sample migrate && echo "now at ${CONTAINER_VERSION:0:7}"`)
}

// commit writes a version of the sample and commits it.
func (t *tour) commit(ctx context.Context, version, hook string) error {
	repo := filepath.Join(t.dir, "sample")
	procfile := "web: bin/sample web\nworker: bin/sample worker\npostdeploy: " + hook + "\n"
	for name, text := range map[string]string{"VERSION": version + "\n", "Procfile": procfile} {
		if err := os.WriteFile(filepath.Join(repo, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	fmt.Fprint(t.out, "Procfile:\n  ", strings.ReplaceAll(strings.TrimSpace(procfile), "\n", "\n  "), "\n")
	for _, args := range [][]string{{"add", "."}, {"commit", "-q", "-m", version}} {
		if _, err := t.git(ctx, args...); err != nil {
			return fmt.Errorf("git %s: %w", args[0], err)
		}
	}
	return nil
}

// expect asks the app through the router.
func (t *tour) expect(ctx context.Context, want string) error {
	fmt.Fprintln(t.out, "$ curl", t.url())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.server.httpListener.Addr().String(), nil)
	if err != nil {
		return err
	}
	req.Host = strings.TrimPrefix(t.url(), t.server.appsURL.Scheme+"://")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "%s\n", strings.TrimSpace(string(body)))
	if !strings.HasPrefix(string(body), want) {
		return fmt.Errorf("the app answered %q, not %q", body, want)
	}
	return nil
}
