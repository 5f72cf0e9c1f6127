package local

import (
	"errors"
	"os"
)

// punchHole is not made use of here: outputs are emptied instead.
func punchHole(*os.File, int64) error { return errors.ErrUnsupported }

// firstData is the beginning of f, as there are no holes.
func firstData(*os.File) (int64, error) { return 0, nil }
