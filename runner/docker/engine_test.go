package docker_test

import (
	"testing"

	"boathook/runner"
	"boathook/runner/enginetest"
)

func TestEngine(t *testing.T) {
	c := connect(t)
	enginetest.Run(t, enginetest.Harness{
		New: func(t *testing.T) runner.Engine {
			e, _ := newEngine(t, c)
			return e
		},
		Image:      tinyImage,
		Entrypoint: true,
		Launcher:   []string{"/bin/bash", "-c"},
		Listen:     `httpd -f -p "$PORT"`,
		Env:        []string{"PATH", "HOME", "TINI_KILL_PROCESS_GROUP"},
		Memory:     true,
		PIDs:       true,
	})
}
