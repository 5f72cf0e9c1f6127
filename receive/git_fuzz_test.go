package receive

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	gossh "golang.org/x/crypto/ssh"
)

// What is accepted is an app's name, which is also a single path element, and means the same when it is quoted again; what
// is not is said in words that cannot drive a terminal.
func FuzzParseGit(f *testing.F) {
	for _, seed := range []string{
		"git-receive-pack 'my-app.git'", "git upload-pack 'a'\\''b'\\!'c'", "git-upload-pack /scalingo.com:my-app", "git-upload-archive 'x'",
		"git-receive-pack '../my-app'", "git-receive-pack 'my-app\x00'", "git-receive-pack 'my-\u0430pp'", "git-receive-pack '$(id)'", "git-receive-pack 'a\x1b[2J\nb", "apps",
	} {
		f.Add(seed)
	}
	name := regexp.MustCompile(`^[a-z0-9](-?[a-z0-9])*$`)
	f.Fuzz(func(t *testing.T, line string) {
		git, err := ParseGit(line)
		if err != nil {
			if git.App != "" || !errors.Is(err, ErrAppName) {
				t.Errorf("%+v, %v", git, err)
			}
			if said := err.Error(); !utf8.ValidString(said) || strings.ContainsFunc(said, unicode.IsControl) {
				t.Errorf("said %q", said)
			}
			return
		}
		if git.App == "" {
			if git.Service == ReceivePack || git.Service == UploadPack {
				t.Errorf("%s without an app", git.Service)
			}
			return
		}
		if !name.MatchString(git.App) || len(git.App) < minName || len(git.App) > maxName {
			t.Errorf("app %q from %q", git.App, line)
		}
		if again, err := ParseGit(string(git.Service) + " '" + git.App + ".git'"); err != nil || again != git {
			t.Errorf("quoted again: %+v, %v; want %+v", again, err, git)
		}
	})
}

// A pty-req of any bytes is read without a panic, and a sound one (RFC 4254, section 6.2) for what it says.
func FuzzPty(f *testing.F) {
	pty := func(term string, columns uint32) []byte {
		return gossh.Marshal(struct {
			Term                         string
			Columns, Rows, Width, Height uint32
			Modes                        string
		}{term, columns, 24, 0, 0, "\x00"})
	}
	for _, columns := range []uint32{0, 80, 10_000, 10_001, 1 << 31} {
		f.Add(pty("xterm", columns), columns)
	}
	f.Add([]byte(nil), uint32(0))
	f.Add([]byte("\xff\xff\xff\xffxterm"), uint32(1))
	f.Fuzz(func(t *testing.T, payload []byte, columns uint32) {
		s := &session{}
		if s.pty(payload); s.width < 0 || s.width > 10_000 {
			t.Errorf("%d columns from %x", s.width, payload)
		}
		s.windowChange(payload)
		s = &session{}
		granted, want := s.pty(pty(string(payload), columns)), int(columns)
		if columns > 10_000 {
			want = 0
		}
		if s.width != want || granted != (want > 0) || granted && (s.terminal.Type != string(payload) || s.terminal.Size != Size{uint16(want), 24}) {
			t.Errorf("%d columns, want %d; granted %v: %+v", s.width, want, granted, s.terminal)
		}
		s.windowChange(gossh.Marshal(struct{ Columns, Rows, Width, Height uint32 }{7, 8, 0, 0}))
		s.windowChange(gossh.Marshal(struct{ Columns, Rows, Width, Height uint32 }{9, 10, 0, 0}))
		if granted {
			if newest := <-s.terminal.Resized; newest != (Size{9, 10}) {
				t.Errorf("the newest size is %v", newest)
			}
		}
	})
}
