package docker_test

import (
	"fmt"
	"testing"
	"time"

	"boathook/runner"
)

// TestSlowReader has who takes the output pause when so much of it is left that the engine could not pass all on: nothing is lost.
func TestSlowReader(t *testing.T) {
	e, _ := newEngine(t, connect(t))
	removeAfter(t, e)
	const size = 30_000_000
	for _, left := range []int{1_300_000, 1_350_000, 1_400_000, 1_450_000, 1_500_000} {
		t.Run(fmt.Sprint(left), func(t *testing.T) {
			t.Parallel()
			got, paused := 0, false
			out := writerFunc(func(p []byte) (int, error) {
				if !paused && got >= size-left {
					paused = true
					time.Sleep(4 * time.Second) // the engine waits two
				}
				got += len(p)
				return len(p), nil
			})
			exit, err := e.Run(t.Context(), spec(fmt.Sprint("app-", left), "one-off", fmt.Sprintf("head -c %d /dev/zero; exit 7", size)), runner.IO{Out: out})
			if err != nil || exit.Code != 7 || got != size {
				t.Errorf("%d of %d bytes, %+v, %v", got, size, exit, err)
			}
		})
	}
}
