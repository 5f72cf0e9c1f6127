package deploy

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// transcript runs write on a console and returns what the pusher saw, after checking that the stored log is the same.
func transcript(t *testing.T, secrets []string, write func(*console)) string {
	t.Helper()
	var out, stored bytes.Buffer
	c := newConsole(&out, func(chunk []byte) { stored.Write(chunk) }, 1<<20)
	c.hide(secrets)
	write(c)
	c.Close()
	if diff := cmp.Diff(out.String(), stored.String()); diff != "" {
		t.Errorf("the stored log differs from what the pusher saw:\n%s", diff)
	}
	return out.String()
}

func TestToolOutput(t *testing.T) {
	for _, test := range []struct {
		name, label string
		chunks      []string
		want        string
	}{
		{name: "plain lines are indented", chunks: []string{"one\ntwo\n"}, want: "       one\n       two\n"},
		{name: "the platform's form is kept", chunks: []string{"-----> Step\n       detail\n !     trouble\n"},
			want: "-----> Step\n       detail\n !     trouble\n"},
		{name: "chunks are joined to lines", chunks: []string{"on", "e\ntw", "o"}, want: "       one\n       two\n"},
		{name: "a hook's label", label: "[postdeploy-7] ", chunks: []string{"-----> x\n"}, want: "       [postdeploy-7] -----> x\n"},
		{name: "carriage returns end lines", chunks: []string{"10%\r20%\r\n"}, want: "       10%\n       20%\n"},
		{name: "colours stay, cursors go", chunks: []string{"\x1b[31mred\x1b[0m \x1b[2Jclear\x1b]0;title\x07!\n"},
			want: "       \x1b[31mred\x1b[0m clear!\n"},
		{name: "controls and reordering marks go", chunks: []string{"a\x00b\x08c\u0085d\u202ee\n"}, want: "       abcde\n"},
		{name: "invalid text is replaced", chunks: []string{"a\xffb\n"}, want: "       a\uFFFDb\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := transcript(t, nil, func(c *console) {
				tools := c.Tools(test.label)
				for _, chunk := range test.chunks {
					if _, err := tools.Write([]byte(chunk)); err != nil {
						t.Fatal(err)
					}
				}
				tools.Flush()
			})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSecretsAreMasked(t *testing.T) {
	vars := map[string]string{
		"URL": "postgres://user:pass@db/x", "PART": "user:pass", "SHORT": "true",
		"BUILDPACK_URL": "https://bob:s3cr3t-pw@example.com/pack", "PROJECT_DIR": "backend",
		"PEM": "-----BEGIN KEY-----\nMIIabcdefgh\n-----END KEY-----",
	}
	secrets := secretsOf(vars)
	for _, test := range []struct{ name, in, want string }{
		{"a value", "url is postgres://user:pass@db/x.", "url is [masked]."},
		{"the longest first", "user:pass", "[masked]"},
		{"each line of a value", "MIIabcdefgh", "[masked]"},
		{"of a setting only the password", "backend with https://bob:s3cr3t-pw@example.com/pack", "backend with https://[masked]@example.com/pack"},
		{"short values stay", "it is true", "it is true"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for split := range len(test.in) {
				got := transcript(t, secrets, func(c *console) {
					tools := c.Tools("")
					_, _ = tools.Write([]byte(test.in[:split]))
					_, _ = tools.Write([]byte(test.in[split:]))
					tools.Flush()
				})
				if want := "       " + test.want + "\n"; got != want {
					t.Fatalf("split at %d: got %q, want %q", split, got, want)
				}
			}
		})
	}
}

// A line without an end is broken, but never inside a secret.
func TestSecretsAcrossTheBreakOfALongLine(t *testing.T) {
	secret := "correct-horse-battery-staple"
	for offset := -len(secret) - 2; offset <= 2; offset++ {
		line := strings.Repeat("x", maxLine+offset) + secret + strings.Repeat("y", 100)
		got := transcript(t, []string{secret}, func(c *console) {
			tools := c.Tools("")
			for chunk := range strings.SplitSeq(line, "x-never") {
				_, _ = tools.Write([]byte(chunk))
			}
			tools.Flush()
		})
		flat := strings.NewReplacer("\n", "", " ", "").Replace(got)
		if want := strings.Replace(line, secret, masked, 1); flat != want {
			t.Fatalf("offset %d: the secret was not masked as a whole", offset)
		}
	}
}

func TestStoredLogIsBounded(t *testing.T) {
	var out, stored bytes.Buffer
	c := newConsole(&out, func(chunk []byte) { stored.Write(chunk) }, 40)
	tools := c.Tools("")
	for range 1000 {
		if _, err := tools.Write([]byte("a line of some length\n")); err != nil {
			t.Fatal(err)
		}
	}
	c.Error("Error deploying the application")
	c.Close()
	if got := strings.Count(out.String(), "some length"); got != 1000 {
		t.Errorf("the pusher saw %d lines of 1000", got)
	}
	want := "       a line of some length\n" + cutLine + " !   Error deploying the application\n"
	if diff := cmp.Diff(want, stored.String()); diff != "" {
		t.Errorf("stored log (-want +got):\n%s", diff)
	}
}
