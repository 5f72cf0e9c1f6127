package command

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Who sits at a terminal is told what a command waits for; what comes at once, as from a file, and a program are told nothing.
func TestInputIsAskedFor(t *testing.T) {
	for _, test := range []struct {
		name  string
		width int
		takes time.Duration
		want  string
	}{
		{"typed", 80, time.Minute, "Waiting for the key on standard input: Ctrl-D on a line of its own ends it\n"},
		{"file", 80, patience / 2, ""},
		{"program", 0, time.Minute, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, typed := io.Pipe()
				time.AfterFunc(test.takes, func() {
					_, _ = io.WriteString(typed, "ssh-ed25519 AAAA")
					typed.Close()
				})
				var stderr strings.Builder
				c := &Call{Stdin: in, Stderr: &stderr, Width: test.width}
				text, err := c.key("-")
				if err != nil || string(text) != "ssh-ed25519 AAAA" || stderr.String() != test.want {
					t.Errorf("%q, %v, stderr %q", text, err, stderr.String())
				}
			})
		})
	}
}

// Every command that reads standard input to its end asks for it.
func TestWhatIsAskedFor(t *testing.T) {
	for line, want := range map[string]string{
		"keys-add laptop":                     "the key",
		"users-add eve --key -":               "the key",
		"domains-ssl my-app shop.example.org": "the certificate and its key",
		"error-page my-app":                   "the page",
		"maintenance-page my-app":             "the page",
		"env-set my-app V=-":                  "the value of V",
	} {
		synctest.Test(t, func(t *testing.T) {
			in, typed := io.Pipe()
			time.AfterFunc(time.Minute, func() { typed.CloseWithError(io.ErrUnexpectedEOF) })
			args, err := Split(line)
			if err != nil {
				t.Fatal(err)
			}
			var stderr strings.Builder
			status := Commands().Run(t.Context(), &Call{Args: args, Stdin: in, Stderr: &stderr, Width: 80})
			if status != 1 || !strings.HasPrefix(stderr.String(), "Waiting for "+want+" on standard input: ") {
				t.Errorf("%s: status %d, stderr %q", line, status, stderr.String())
			}
		})
	}
}
