package builder

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/image"
)

const (
	debianSuite = "bookworm"
	debianBase  = "debian:bookworm-slim"
	// debianRecipe is raised whenever what a Debian stack image holds changes, so that older ones are not taken.
	debianRecipe = "1"
)

// debianPackages is what common buildpacks expect to find.
var debianPackages = []string{
	"bash", "coreutils", "sed", "gawk", "grep", "findutils", "file", "jq", "curl", "wget", "git", "tar", "gzip", "bzip2",
	"xz-utils", "zstd", "unzip", "zip", "perl", "openssh-client", "procps", "python3", "ca-certificates", "build-essential",
	"locales", "netbase", "tzdata",
}

// prepareUser is run as root with the new system's root as its own.
const prepareUser = `useradd -u 1000 -U -d /app -s /bin/bash app && mkdir -p /app /build /cache && chown 1000:1000 /app /build /cache`

// buildDebian builds a stack image from Debian's own image, which the engine may have or pull.
func (s *Stacks) buildDebian(ctx context.Context, out io.Writer) (string, error) {
	ref := s.namespace() + "/stack:debian-" + debianRecipe
	lines := append([]string{
		"FROM " + s.from(),
		"RUN sed -i 's|http://deb.debian.org/debian$|" + s.mirror() + "|' /etc/apt/sources.list.d/*.sources" +
			" && apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends " + strings.Join(s.included(), " ") +
			" && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin && " + prepareUser,
	}, s.stackConfig("debian:"+debianRecipe)...)
	body, err := singleFileTar("Dockerfile", strings.Join(lines, "\n")+"\n")
	if err != nil {
		return "", err
	}
	answer, err := s.Docker.ImageBuild(ctx, body, build.ImageBuildOptions{Tags: []string{ref}, Remove: true, ForceRemove: true})
	if err != nil {
		return "", fmt.Errorf("build %s: %w", ref, err)
	}
	err = readMessages(answer.Body, func(m engineMessage) { _, _ = io.WriteString(out, m.Stream) })
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return "", err
	}
	return ref, nil
}

// singleFileTar is a tar with one file.
func singleFileTar(name, text string) (io.Reader, error) {
	var buf bytes.Buffer
	t := tar.NewWriter(&buf)
	err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(text))})
	if err == nil {
		_, err = io.WriteString(t, text)
	}
	if err = errors.Join(err, t.Close()); err != nil {
		return nil, fmt.Errorf("pack %s: %w", name, err)
	}
	return &buf, nil
}

// bootstrapDebian makes a stack image from packages alone with mmdebstrap(1), whose tar goes straight to the engine.
func (s *Stacks) bootstrapDebian(ctx context.Context, out io.Writer) (string, error) {
	program, err := exec.LookPath("mmdebstrap")
	if err != nil {
		return "", errors.New("this machine has no mmdebstrap: install it (apt-get install mmdebstrap)")
	}
	ref := s.namespace() + "/stack:debian-" + debianRecipe
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cmd := exec.CommandContext(ctx, program, "--variant=apt", "--quiet", "--format=tar",
		"--include="+strings.Join(s.included(), ","),
		`--customize-hook=chroot "$1" sh -c '`+prepareUser+`'`,
		`--customize-hook=rm -rf "$1"/var/lib/apt/lists/*`,
		debianSuite, "-", s.mirror())
	var said bytes.Buffer
	cmd.Stderr = io.MultiWriter(out, limitWriter(&said, 4096))
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", fmt.Errorf("mmdebstrap: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("mmdebstrap: %w", err)
	}
	// An import does not see that its input was cut off, so the name is only given once mmdebstrap has ended well.
	id, importErr := s.importTar(ctx, "", stdout, s.stackConfig("debian:"+debianRecipe))
	if importErr != nil {
		stop()
	}
	if err := cmd.Wait(); err != nil {
		return "", errors.Join(fmt.Errorf("mmdebstrap: %w: %s", err, lastLine(said.String())), importErr, s.forget(ctx, id))
	}
	if importErr != nil {
		return "", importErr
	}
	if err := s.Docker.ImageTag(ctx, id, ref); err != nil {
		return "", errors.Join(fmt.Errorf("tag %s: %w", ref, err), s.forget(ctx, id))
	}
	return ref, nil
}

// importTar makes an image of a root file system and returns its id. ref may be empty.
func (s *Stacks) importTar(ctx context.Context, ref string, rootfs io.Reader, changes []string) (string, error) {
	stream, err := s.Docker.ImageImport(ctx, image.ImportSource{Source: rootfs, SourceName: "-"}, ref, image.ImportOptions{Changes: changes})
	if err != nil {
		return "", fmt.Errorf("import stack image: %w", err)
	}
	var id string
	err = readMessages(stream, func(m engineMessage) { id = m.Status })
	if err = errors.Join(err, stream.Close()); err != nil {
		return "", fmt.Errorf("import stack image: %w", err)
	}
	return id, nil
}

// forget removes a half-made image; "" is none.
func (s *Stacks) forget(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer stop()
	return removeImage(ctx, s.Docker, id)
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
