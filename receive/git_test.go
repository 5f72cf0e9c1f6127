package receive

import (
	"errors"
	"strings"
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

func FuzzParseGit(f *testing.F) {
	f.Add("git-receive-pack 'my-app.git'")
	f.Add(`git upload-pack 'a'\''b'\!'c'`)
	f.Fuzz(func(t *testing.T, line string) {
		git, err := ParseGit(line)
		if err != nil && git.App != "" {
			t.Errorf("an app and an error: %q", git.App)
		}
		if git.App != "" && (len(git.App) < 6 || len(git.App) > 48 || strings.Trim(git.App, "abcdefghijklmnopqrstuvwxyz0123456789-") != "") {
			t.Errorf("app %q from %q", git.App, line)
		}
	})
}
