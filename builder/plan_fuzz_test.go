package builder

import (
	"errors"
	"strings"
	"testing"

	"github.com/docker/docker/client"
	"github.com/google/go-cmp/cmp"
)

// A buildpack of an app's .buildpacks is one of the operator's list or has an address; an address that is accepted is
// neither an option nor a path of git's, nor a file of the server's where builds are kept from them.
func FuzzParseBuildpacks(f *testing.F) {
	for _, seed := range []string{
		"", "# no\r\nhttps://example.com/a.git#v1\n", "listed\nprocfile", "unknown", "git@example.com:a/b.git", "file:///etc", "-oProxyCommand=id://x", "--upload-pack=/bin/sh:x",
		"https://a:secret@example.com/b.tgz", "https://example.com/a#--upload-pack=id", "ext::sh -c id", "../../etc/passwd", "https://%zz", "ssh://-oProxyCommand=id/x", "git+ssh://h/p", "HTTPS://x/\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg := Config{Docker: &client.Client{}, Buildpacks: []Buildpack{{Name: "listed", URL: "https://example.com/listed.git"}}}
		b := &Build{cfg: cfg, buildpacks: newBuildpackCache(cfg)}
		packs, err := b.parseBuildpacks(data)
		if err != nil {
			var failure *Failure
			if !errors.As(err, &failure) {
				t.Errorf("%q", err)
			}
			return
		}
		var lines []string
		for _, p := range packs {
			line := p.url
			if p.listed {
				line = p.name
			}
			lines = append(lines, line)
			a, err := b.buildpacks.parse(p)
			if err != nil || p.url == "" {
				continue
			}
			if strings.HasPrefix(a.url, "-") || strings.HasPrefix(a.ref, "-") || strings.HasPrefix(strings.ToLower(a.url), "file:") || strings.HasPrefix(a.url, "ext:") || strings.ContainsAny(a.url, "\x00\n\r\t ") {
				t.Errorf("accepted %+v", a)
			}
		}
		again, err := b.parseBuildpacks([]byte(strings.Join(lines, "\n")))
		if err != nil {
			t.Fatalf("written again: %v", err)
		}
		if diff := cmp.Diff(packs, again, cmp.AllowUnexported(packRef{})); diff != "" {
			t.Errorf("written again (-first +second):\n%s", diff)
		}
	})
}
