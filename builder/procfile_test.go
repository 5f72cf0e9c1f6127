package builder

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseProcfile(t *testing.T) {
	text := "\ufeff# processes\r\nweb: bundle exec puma -p $PORT\r\n\n  worker_2 :\trake jobs:work # here\npostdeploy: a && b \n"
	got, err := ParseProcfileOrdered([]byte(text))
	want := []Process{
		{"web", "bundle exec puma -p $PORT"}, {"worker_2", "rake jobs:work # here"}, {"postdeploy", "a && b"},
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseProcfileRefuses(t *testing.T) {
	cases := map[string]string{
		"web":            `Procfile, line 1: "web" is not of the form`,
		"\nweb:":         `Procfile, line 2: "web:" is not of the form`,
		"wéb: x":         `Procfile, line 1: "wéb: x" is not of the form`,
		"web: a\nweb: b": "Procfile, line 2: the type web is already on line 1",
		"web: a\x00b":    "Procfile, line 1: ",
		": x":            `Procfile, line 1: ": x" is not`,
		"abcdefghijklmnopqrstuvwxy: more than 24": "Procfile, line 1: ",
	}
	for text, want := range cases {
		_, err := ParseProcfile([]byte(text))
		var failure *Failure
		if !errors.As(err, &failure) || !strings.HasPrefix(failure.Summary, want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}
