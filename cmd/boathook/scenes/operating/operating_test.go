// Package operating has the scenes of what goes on around the versions that are live: one-offs, restarts, names, logs, certificates, backups and upgrades.
package operating

import (
	"testing"

	"boathook/cmd/boathook/scenes"
)

func TestMain(m *testing.M) { scenes.Main(m) }

func TestScenes(t *testing.T) { scenes.Run(t, "testdata", scenes.Engines...) }
