package local

import (
	"errors"
	"fmt"

	"boathook/runner"
)

// usage would have to ask the kernel by ways that need C.
func usage([]int) (runner.Usage, error) {
	return runner.Usage{}, fmt.Errorf("the local engine cannot measure processes on macOS: %w", errors.ErrUnsupported)
}
