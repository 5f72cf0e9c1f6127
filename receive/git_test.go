package receive

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseGit(t *testing.T) {
	for _, test := range []struct {
		line string
		want Git
		bad  bool
	}{
		{line: "git-receive-pack 'my-app.git'", want: Git{ReceivePack, "my-app"}},
		{line: "git receive-pack '/my-app.git'", want: Git{ReceivePack, "my-app"}},
		{line: "git-upload-pack 'my-app'", want: Git{UploadPack, "my-app"}},
		{line: "git-upload-pack /my-app", want: Git{UploadPack, "my-app"}},
		{line: "git-upload-pack 'scalingo.com:my-app.git'", want: Git{UploadPack, "my-app"}},
		{line: "git-upload-pack '/scalingo.com:my-app.git'", want: Git{UploadPack, "my-app"}},
		{line: "git-upload-archive 'my-app.git'", want: Git{Service: UploadArchive}},
		{line: "git-receive-pack '../my-app'", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack 'my-app/../other1'", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack 'My-App'", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack 'my--app'", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack 'my-app' 'other1'", want: Git{Service: ReceivePack}, bad: true},
		{line: `git-receive-pack 'my-app'\''x'`, want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack 'my-app", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack 'my-app\n'", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack ''", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack --help 'my-app'", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack 'my-app\x00'", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack 'my-app\r'", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack 'my-app\x1b[2J'", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack 'my-\u0430pp'", want: Git{Service: ReceivePack}, bad: true}, // Cyrillic a
		{line: "git-receive-pack 'my\u2010app'", want: Git{Service: ReceivePack}, bad: true}, // hyphen
		{line: "git-receive-pack 'my-app\u200b'", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack 'my-app1\xff'", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack 'my-app;id'", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack my-app;id", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack '$(id)-app'", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack '`id`-app'", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack 'my-app|cat'", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack '*-app-*'", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack '-oProxyCommand=id'", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack '/etc/passwd'", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-pack '~git/my-app'", want: Git{Service: ReceivePack}, bad: true},
		{line: "git-receive-packs 'my-app'"},
		{line: "git status"},
		{line: "apps"},
		{line: ""},
	} {
		got, err := ParseGit(test.line)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("ParseGit(%q) (-want +got):\n%s", test.line, diff)
		}
		if errors.Is(err, ErrAppName) != test.bad {
			t.Errorf("ParseGit(%q) error = %v, want one: %v", test.line, err, test.bad)
		}
	}
}
