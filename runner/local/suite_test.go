package local_test

import (
	"testing"

	"boathook/runner"
	"boathook/runner/enginetest"
	"boathook/runner/local"
)

// listen accepts on $PORT until a signal ends it. Perl comes with git.
const listen = `perl -MIO::Socket::INET -e '
	my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $ENV{PORT}, Listen => 5, ReuseAddr => 1) or die $@;
	while (1) { my $c = $s->accept or next; close $c }'`

func TestEngine(t *testing.T) {
	enginetest.Run(t, enginetest.Harness{
		New: func(t *testing.T) runner.Engine {
			e, err := local.New(local.Config{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			return e
		},
		Image:    image(t, "readme", "an image is a directory\n"),
		Launcher: []string{"/bin/bash", "-c"},
		Listen:   listen,
		Env:      []string{"PATH", "HOME", "TMPDIR"},
	})
}
