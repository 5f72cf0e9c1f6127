package deploy

import (
	"errors"
	"strings"
	"testing"
	"time"

	"boathook/receive/state"
)

// TestDiskFillsUp: a build, or a hook, during which the disk fills up ends. One that leaves enough does not.
func TestDiskFillsUp(t *testing.T) {
	for _, test := range []struct {
		name  string
		types map[string]string
		want  state.Status
	}{
		{"build", map[string]string{"hang": ""}, state.BuildError},
		{"hook", map[string]string{"web": "listen", "postdeploy": "hang"}, state.HookError},
	} {
		t.Run(test.name, func(t *testing.T) {
			onStage(t, Limits{DiskFree: 100}, func(t *testing.T, s *stage) {
				begin := time.Now()
				s.d.Disks = []string{"disk"}
				s.d.free = func(string) (int64, error) {
					if time.Since(begin) < time.Minute {
						return max(50, 101-int64(time.Since(begin)/time.Second)), nil
					}
					return 49, nil
				}
				out, err := s.deploy(t.Context(), test.types)
				var failure *Failure
				if !errors.As(err, &failure) || failure.Status != test.want || !strings.Contains(out, "The server's disk was filling up: only 49B were left") {
					t.Errorf("%v\n%s", err, out)
				}
				if took := time.Since(begin); took < time.Minute || took > time.Minute+2*roomEvery {
					t.Errorf("it ended after %s", took)
				}
				s.untouched(t, test.want)
			})
		})
	}
}
