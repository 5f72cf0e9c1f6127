// Package deploying has the scenes of what becomes of a push: how it goes live, and each way in which it does not.
package deploying

import (
	"testing"

	"boathook/cmd/boathook/scenes"
)

func TestMain(m *testing.M) { scenes.Main(m) }

func TestScenes(t *testing.T) { scenes.Run(t, "testdata", scenes.Engines...) }
