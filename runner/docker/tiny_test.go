package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"boathook/runner/docker"
)

// tinyImage has bash, busybox and a user 1000 whose home is /app. It is left on the engine for the next run.
const tinyImage = "boathook-test-tiny:3"

// connect returns a client of an engine that has tinyImage. Only where no engine answers the test is skipped.
func connect(t *testing.T) *client.Client {
	t.Helper()
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := c.Ping(t.Context()); err != nil {
		t.Skipf("no docker engine answers: %v", err)
	}
	ensureTiny(t, c)
	return c
}

// newEngine returns an engine in a namespace of its own, and the namespace.
func newEngine(t *testing.T, c *client.Client) (*docker.Engine, string) {
	t.Helper()
	namespace := "test-" + strings.ToLower(rand.Text()[:12])
	e, err := docker.New(t.Context(), docker.Config{Client: c, Namespace: namespace})
	if err != nil {
		t.Fatal(err)
	}
	return e, namespace
}

// making serialises the tests that want the image before it exists.
var making sync.Mutex

func ensureTiny(t *testing.T, c *client.Client) {
	t.Helper()
	making.Lock()
	defer making.Unlock()
	_, err := c.ImageInspect(t.Context(), tinyImage)
	if err == nil {
		return
	}
	if !errdefs.IsNotFound(err) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream, err := c.ImageImport(ctx, image.ImportSource{Source: tinyTar(t), SourceName: "-"}, tinyImage, image.ImportOptions{
		Changes: []string{"WORKDIR /app", "USER root", `ENTRYPOINT ["/bin/echo","own","entry"]`, `CMD ["point"]`,
			"HEALTHCHECK --interval=1s CMD false", "LABEL boathook.namespace=forged boathook.once=true"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, stream); err != nil {
		t.Fatal(err)
	}
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
}

// tinyTar is the image's root file system from two Debian packages.
func tinyTar(t *testing.T) io.Reader {
	t.Helper()
	dir := packages(t)
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	add := func(h tar.Header, content []byte) {
		h.Size = int64(len(content))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{"bin/", "etc/", "proc/", "sys/", "dev/"} {
		add(tar.Header{Typeflag: tar.TypeDir, Name: d, Mode: 0o755}, nil)
	}
	add(tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}, nil)
	add(tar.Header{Typeflag: tar.TypeDir, Name: "app/", Mode: 0o755, Uid: 1000, Gid: 1000}, nil)
	add(tar.Header{Name: "etc/passwd", Mode: 0o644}, []byte("root:x:0:0::/:/bin/bash\napp:x:1000:1000::/app:/bin/bash\n"))
	add(tar.Header{Name: "etc/group", Mode: 0o644}, []byte("root:x:0:\napp:x:1000:\n"))
	for name, from := range map[string]string{"bin/bash": "bin/bash-static", "bin/busybox": "bin/busybox"} {
		content, err := os.ReadFile(filepath.Join(dir, from))
		if err != nil {
			t.Fatal(err)
		}
		add(tar.Header{Name: name, Mode: 0o755}, content)
	}
	// A set-user-id copy that no-new-privileges has to make harmless.
	busybox, err := os.ReadFile(filepath.Join(dir, "bin/busybox"))
	if err != nil {
		t.Fatal(err)
	}
	add(tar.Header{Name: "bin/busybox-suid", Mode: 0o4755}, busybox)
	for _, applet := range strings.Fields("cat echo env grep head httpd id ls nc sleep tr wget") {
		add(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + applet, Linkname: "busybox", Mode: 0o777}, nil)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &buf
}

// packages unpacks bash-static and busybox-static once into the user's cache.
func packages(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	cache = filepath.Join(cache, "boathook-test")
	root := filepath.Join(cache, "tiny-1")
	if _, err := os.Stat(root); err == nil {
		return root
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	work, err := os.MkdirTemp(cache, "unpack-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.RemoveAll(work); err != nil {
			t.Error(err)
		}
	}()
	command(t, work, "apt-get", "download", "bash-static", "busybox-static")
	debs, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil || len(debs) != 2 {
		t.Fatal(fmt.Errorf("downloaded %v: %w", debs, err))
	}
	for _, deb := range debs {
		command(t, work, "dpkg-deb", "-x", deb, filepath.Join(work, "root"))
	}
	if err := os.Rename(filepath.Join(work, "root"), root); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	return root
}

func command(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}
