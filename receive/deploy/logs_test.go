package deploy

import (
	"strings"
	"testing"
	"time"

	"boathook/receive/applog"
	"boathook/receive/apps"
)

// A filter takes several names, and one that nothing has is a mistake: to print nothing would look like an app that says nothing.
func TestLogFilter(t *testing.T) {
	onStage(t, Limits{}, func(t *testing.T, s *stage) {
		_, err := s.deploy(t.Context(), map[string]string{"web": "listen", "worker": "work"})
		check(t, err)
		app, err := s.d.Store.App(t.Context(), "my-app")
		check(t, err)
		log, err := s.d.Logbook.Log(app.ID)
		check(t, err)
		for _, name := range []string{"web-7", "worker-7", "clock-7"} {
			check(t, log.Append(applog.Entry{At: time.Now(), Name: name, Text: name + " speaks"}))
		}
		const choice = ": choose from clock, router, web, worker, or a container that 'ps my-app' lists"
		for _, test := range []struct{ filter, speak, refusal string }{
			{"web", "web-7", ""},
			{"web-7", "web-7", ""},
			{"web|clock-7", "web-7 clock-7", ""},
			{"web-1", "", ""}, // which runs, and has said nothing
			{"router", "", ""},
			{"wbe", "", `nothing of my-app is called "wbe"` + choice},
			{"web-8", "", `nothing of my-app is called "web-8"` + choice},
			{"web|wroker", "web-7", `nothing of my-app is called "wroker"` + choice},
		} {
			var out strings.Builder
			refusal := ""
			if err := s.d.Logs(t.Context(), "my-app", apps.LogOptions{Filter: test.filter}, &out); err != nil {
				refusal = err.Error()
			}
			var speak []string
			for line := range strings.Lines(out.String()) {
				if _, text, ok := strings.Cut(line, "] "); ok && strings.HasSuffix(text, " speaks\n") {
					speak = append(speak, strings.TrimSuffix(text, " speaks\n"))
				}
			}
			if got := strings.Join(speak, " "); got != test.speak || refusal != test.refusal {
				t.Errorf("%s: %q, %q; want %q, %q", test.filter, got, refusal, test.speak, test.refusal)
			}
		}
	})
}
